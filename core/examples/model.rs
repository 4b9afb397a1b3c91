//! Explores the model: `cargo run --release -p remediation-core --example model -- run plain`.

use std::time::Duration;

#[path = "../tests/model/checker/mod.rs"]
mod checker;

use checker::search::{Limits, Search};
use checker::{config, story};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.get(1).map_or("plain", String::as_str);
    let states = args
        .get(2)
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX);
    let config = config::named(name).expect("a configuration");
    let mut search = Search::new(config);
    let report = search.run(Limits {
        states,
        time: Duration::from_secs(3600),
        threads: 2,
    });
    println!("{report:#?}");
    if let Some(violation) = &report.violation {
        println!("{}", story::tell(&search, violation));
    }
}
