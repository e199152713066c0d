//! Facts about the machine and the build, without which a number says nothing.

use std::fmt::Write;
use std::fs;
use std::process::Command;

/// Where and with what a run was made; "unknown" where the system does not tell.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub num_cpus: usize,
    /// Main memory.
    pub memory: String,
    /// Kernel and its version.
    pub system: String,
    /// Commit of the source, with a mark when files differ from it.
    pub commit: String,
    /// Whether the build is optimised.
    pub profile: &'static str,
}

impl Machine {
    /// Looks at the machine.
    pub fn look() -> Self {
        let memory_kib = field("/proc/meminfo", "MemTotal").and_then(|text| kib(&text));
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            num_cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory: memory_kib.map_or_else(unknown, |kib| format!("{:.1} GiB", kib as f64 / 1_048_576.0)),
            system: fs::read_to_string("/proc/version")
                .map_or_else(|_| unknown(), |text| text.split(' ').take(3).collect::<Vec<_>>().join(" ")),
            commit: commit().unwrap_or_else(unknown),
            profile: if cfg!(debug_assertions) { "debug: numbers mean little" } else { "release" },
        }
    }

    /// Writes rows of a table with two columns.
    pub fn write_rows(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "| processor | {}, {} usable |", self.cpu, self.num_cpus)?;
        writeln!(text, "| memory | {} |", self.memory)?;
        writeln!(text, "| system | {} |", self.system)?;
        writeln!(text, "| source | {}, {} build |", self.commit, self.profile)
    }
}

/// The most memory this process has had resident so far, bytes.
pub fn peak_memory_bytes() -> Option<u64> {
    peak_memory_bytes_of(std::process::id())
}

/// The same of another process.
pub fn peak_memory_bytes_of(process: u32) -> Option<u64> {
    field(&format!("/proc/{process}/status"), "VmHWM").and_then(|text| kib(&text)).map(|kib| kib * 1_024)
}

/// The memory that another process has resident now, bytes.
pub fn memory_bytes_of(process: u32) -> Option<u64> {
    field(&format!("/proc/{process}/status"), "VmRSS").and_then(|text| kib(&text)).map(|kib| kib * 1_024)
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value of the first line `name: value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
