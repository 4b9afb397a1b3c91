//! How much memory this process holds, as Linux tells it.

/// The most that it held at once, in MB (10^6 bytes); none where nobody says.
pub(super) fn peak() -> Option<u64> {
    field(&own_status()?, "VmHWM:")
}

/// What it holds now, in MB.
pub(super) fn now() -> Option<u64> {
    field(&own_status()?, "VmRSS:")
}

fn own_status() -> Option<String> {
    std::fs::read_to_string("/proc/self/status").ok()
}

/// A field of that file, which gives sizes as `1234 kB` and means 1024 bytes.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let size: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(size * 1024 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_megabytes() {
        let status = "Name:\tsimulate\nVmHWM:\t  500000 kB\nVmRSS:\t  100000 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(512));
        assert_eq!(field(status, "VmRSS:"), Some(102));
        assert_eq!(field("", "VmRSS:"), None);
    }
}
