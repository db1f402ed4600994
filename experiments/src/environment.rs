//! What candle and the C library read from the environment when a process begins.

use std::process::Command;

/// Each with what it is good for, where the user has not set it.
///
/// - Cells run side by side on a thread each. candle would share every larger operation among threads that wait for
///   each other in a busy loop, and take turns for them.
/// - A step takes and gives back some megabytes a dozen times. glibc would return them to the system each time, and
///   fresh pages cost as much as the arithmetic on them.
const WANTED: [(&str, &str); 4] = [
    ("CANDLE_NUM_THREADS", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "1073741824"),
    ("MALLOC_TOP_PAD_", "16777216"),
];

/// Begins this process again with what is missing, and returns if nothing is or it cannot be done.
///
/// Numbers do not depend on it, only speed. A process cannot safely change its own environment.
pub fn settle() {
    let missing: Vec<_> = WANTED.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).envs(missing);
    replace(command);
}

/// The same process from its beginning; returns only if that fails.
#[cfg(unix)]
fn replace(mut command: Command) {
    use std::os::unix::process::CommandExt;

    let _ = command.exec();
}

#[cfg(not(unix))]
fn replace(_: Command) {}
