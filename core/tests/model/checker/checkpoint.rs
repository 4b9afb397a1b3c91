//! An exploration on disk: what was seen, what is still to be expanded, and what the numbers in it stand for.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use remediation_core::status::Status;
use serde_json::{Value, json};

use super::config::Config;
use super::passes::{Log, out_of, out_parts};
use super::search::{BLOCK, Search};
use super::state::{BYTES, Obj, Proc, Rr, World};
use super::words::REQUEST_SLOTS;

const HEAD: &str = "head.json";

/// Whether an exploration is kept here.
pub(crate) fn exists(directory: &Path) -> bool {
    directory.join(HEAD).exists()
}

/// Keeps an exploration. The head is written last: a directory without it holds nothing.
pub(crate) fn write(search: &Search, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let head = directory.join(HEAD);
    if head.exists() {
        fs::remove_file(&head)?;
    }
    let passes = &search.passes;
    lines(directory, "statuses.jsonl", &passes.statuses.all())?;
    lines(directory, "memories.jsonl", &passes.memory_texts())?;
    let mut logs = BufWriter::new(File::create(directory.join("passes.bin"))?);
    for (id, node) in passes.nodes.all() {
        logs.write_all(&id.to_le_bytes())?;
        logs.write_all(&log_world(&node.log).bytes())?;
    }
    logs.flush()?;
    for (name, seen) in [("seen.bin", &search.seen), ("good.bin", &search.good)] {
        let mut file = BufWriter::new(File::create(directory.join(name))?);
        let mut problem = Ok(());
        seen.each(|state, parent| {
            let pair = [state.to_le_bytes(), parent.to_le_bytes()].concat();
            problem = std::mem::replace(&mut problem, Ok(())).and_then(|()| file.write_all(&pair));
        });
        problem?;
        file.flush()?;
    }
    let mut frontier = BufWriter::new(File::create(directory.join("frontier.bin"))?);
    for world in search.frontier.iter().flatten() {
        frontier.write_all(&world.bytes())?;
    }
    frontier.flush()?;
    fs::write(
        head,
        head_of(search, search.depth, search.moves).to_string(),
    )
}

/// Goes on with the exploration that is kept here.
pub(crate) fn read(config: Config, directory: &Path) -> io::Result<Search> {
    let mut search = Search::new(config);
    let kept: Value = serde_json::from_str(&fs::read_to_string(directory.join(HEAD))?)?;
    let number = |name: &str| kept[name].as_u64().unwrap_or(0);
    if kept["bounds"] != head_of(&search, 0, 0)["bounds"] {
        let message = format!(
            "{} holds an exploration with other bounds: {}",
            directory.display(),
            kept["bounds"]
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    for line in fs::read_to_string(directory.join("statuses.jsonl"))?.lines() {
        let status: Status = serde_json::from_str(line)?;
        search.passes.statuses.id(&status);
    }
    for line in fs::read_to_string(directory.join("memories.jsonl"))?.lines() {
        search.passes.read_memory(line)?;
    }
    let mut logs = std::collections::BTreeMap::new();
    records(directory, "passes.bin", 8 + BYTES, |record| {
        let log = world_log(&World::from_bytes(&mut record[8..]));
        logs.insert(
            u64::from_le_bytes(record[..8].try_into().expect("eight bytes")),
            log,
        );
    })?;
    for id in logs.keys() {
        revive(&search, &logs, *id)?;
    }
    for (name, seen) in [("seen.bin", &search.seen), ("good.bin", &search.good)] {
        records(directory, name, 16, |pair| {
            let word =
                |at: usize| u64::from_le_bytes(pair[at..at + 8].try_into().expect("eight bytes"));
            seen.insert(word(0), word(8));
        })?;
    }
    search.frontier.clear();
    let mut frontier = Vec::new();
    records(directory, "frontier.bin", BYTES, |bytes| {
        frontier.push(World::from_bytes(bytes));
    })?;
    search.frontier = frontier.chunks(BLOCK).map(<[World]>::to_vec).collect();
    search.depth = usize::try_from(number("depth")).unwrap_or(0);
    search.moves = number("moves");
    Ok(search)
}

/// A pass after the passes that its log goes on from.
fn revive(search: &Search, logs: &std::collections::BTreeMap<u64, Log>, id: u64) -> io::Result<()> {
    let mut chain = vec![id];
    while let Some(Log::Answered { before, .. }) = logs.get(&chain[chain.len() - 1]) {
        chain.push(*before);
    }
    for wanted in chain.iter().rev() {
        if search.passes.nodes.get(*wanted).is_some() {
            continue;
        }
        let log = logs.get(wanted).copied();
        let is = log.map(|log| search.passes.after(log).0);
        if is != Some(*wanted) {
            let message = "passes.bin does not fit: was it written by another version?";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    Ok(())
}

fn head_of(search: &Search, depth: usize, moves: u64) -> Value {
    let config = &search.passes.config;
    let bounds = format!(
        "{} {:?} {}",
        config.name, config.budget, config.mistake.name
    );
    json!({ "bounds": bounds, "depth": depth, "moves": moves })
}

fn lines(directory: &Path, name: &str, lines: &[String]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(directory.join(name))?);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.flush()
}

fn records(
    directory: &Path,
    name: &str,
    size: usize,
    mut each: impl FnMut(&mut [u8]),
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(directory.join(name))?);
    let mut record = vec![0; size];
    loop {
        match file.read_exact(&mut record) {
            Ok(()) => each(&mut record),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// A log in the fields of a state, so that there is one way to write numbers down.
fn log_world(log: &Log) -> World {
    let mut world = World::default();
    match log {
        Log::Began {
            who,
            now,
            memory,
            rr,
            objs,
        } => {
            (world.now, world.rr) = (*now, *rr);
            world.procs[0] = Proc {
                up: true,
                wake: u32::from(*who),
                memory: *memory,
                ..Proc::default()
            };
            world.objs[..REQUEST_SLOTS].copy_from_slice(objs);
        }
        Log::Answered { before, now, out } => {
            let (tag, rr, obj) = out_parts(*out);
            (world.now, world.rr) = (*now, rr);
            world.procs[0].pass = *before;
            world.requests = tag;
            world.objs[0] = obj;
        }
    }
    world
}

fn world_log(world: &World) -> Log {
    let proc = &world.procs[0];
    if proc.up {
        let mut objs = [Obj::default(); REQUEST_SLOTS];
        objs.copy_from_slice(&world.objs[..REQUEST_SLOTS]);
        return Log::Began {
            who: proc.wake as u8,
            now: world.now,
            memory: proc.memory,
            rr: world.rr,
            objs,
        };
    }
    Log::Answered {
        before: proc.pass,
        now: world.now,
        out: out_of(world.requests, world.rr, world.objs[0])
            .unwrap_or(super::server::Out::Request(Rr::default())),
    }
}
