//! How long things take, beside the best that others do in the same run.

pub mod glmm;
mod print;
pub mod step;
mod subject;

pub use print::{print_fits, print_steps};

/// The most memory that this process has had so far: `VmHWM` of Linux.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
