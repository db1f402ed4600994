//! What was measured, for people and for programs.

use anyhow::Result;

use super::glmm::FitTime;
use super::step::StepTime;

/// Prints measured steps as a table, or a line of JSON each.
///
/// # Errors
/// If one cannot be written as JSON.
pub fn print_steps(steps: &[StepTime], json: bool) -> Result<()> {
    if json {
        for step in steps {
            println!("{}", serde_json::to_string(step)?);
        }
        return Ok(());
    }
    println!(
        "{:8} {:9} {:>12} {:>10} {:>7} {:>10} {:>12} {:>8} {:>8} {:>8} {:>11} {:>8}",
        "task",
        "method",
        "rows",
        "ms/step",
        "kept",
        "GFLOP/s",
        "FMA peak",
        "share",
        "x AAIS",
        "peak MB",
        "PyTorch ms",
        "ratio"
    );
    for s in steps {
        let rows = format!("{} x {}", s.rows, s.samples);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.1}"));
        let share = s.share_of_peak.map_or_else(String::new, |share| format!("{:.1}%", 100.0 * share));
        let kept = s.kept.map_or_else(String::new, |kept| format!("{:.0}%", 100.0 * kept));
        let memory = s.peak_megabytes.map_or_else(String::new, |peak| format!("{peak:.0}"));
        let (peer, ratio) =
            (number(s.peer_milliseconds), number(s.peer_milliseconds.map(|peer| peer / s.milliseconds)));
        println!(
            "{:8} {:9} {rows:>12} {:>10.3} {kept:>7} {:>10.1} {:>12} {share:>8} {:>8.1} {memory:>8} {peer:>11} {ratio:>8}",
            s.task,
            s.method,
            s.milliseconds,
            s.gflops,
            number(s.peak_gflops),
            s.times_aais
        );
    }
    Ok(())
}

/// Prints measured fits as a table, or a line of JSON each.
///
/// # Errors
/// If one cannot be written as JSON.
pub fn print_fits(fits: &[FitTime], json: bool) -> Result<()> {
    if json {
        for fit in fits {
            println!("{}", serde_json::to_string(fit)?);
        }
        return Ok(());
    }
    println!(
        "{:48} {:>7} {:>9} {:>6} {:>14} {:>8} {:>8} {:>6} {:>14}",
        "model", "rows", "ms", "evals", "log-likelihood", "peak MB", "lme4 s", "ratio", "log-likelihood"
    );
    for f in fits {
        let number = |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
        let (peak, peer) = (number(f.peak_megabytes, 0), number(f.peer_seconds, 2));
        let ratio = number(f.peer_seconds.map(|peer| peer / f.seconds), 0);
        let (ms, ours, theirs) = (1e3 * f.seconds, f.log_likelihood, number(f.peer_log_likelihood, 4));
        println!(
            "{:48} {:>7} {ms:>9.2} {:>6} {ours:>14.4} {peak:>8} {peer:>8} {ratio:>6} {theirs:>14}",
            f.model, f.rows, f.evaluations
        );
    }
    Ok(())
}
