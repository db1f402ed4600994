//! Rows evaluated side by side, in parts that do not depend on the number of threads.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aais_models::Amortized;
use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::model::KeptModel;

/// What is done to each part, which begins at a row and has so many.
type Work<'a, T> = dyn Fn(&dyn Amortized, usize, usize) -> Result<Vec<T>> + Sync + 'a;

/// The results of all rows in order; `at_once` rows make a part.
///
/// # Errors
/// The first of a part; no further one is begun then.
pub fn by_parts<T: Send>(
    name: &str,
    kept: &KeptModel,
    n_rows: usize,
    at_once: usize,
    jobs: usize,
    work: &Work<T>,
) -> Result<Vec<T>> {
    let bar = progress(name, n_rows)?;
    let parts: Vec<usize> = (0..n_rows).step_by(at_once).collect();
    let found: Vec<Mutex<Vec<T>>> = parts.iter().map(|_| Mutex::new(Vec::new())).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let one_thread = || -> Result<()> {
        let model = kept.build()?;
        while !failed.load(Ordering::Relaxed) {
            let part = next.fetch_add(1, Ordering::Relaxed);
            let Some(&first) = parts.get(part) else { break };
            let length = at_once.min(n_rows - first);
            match work(&*model, first, length) {
                Ok(rows) => *found[part].lock().unwrap_or_else(|broken| broken.into_inner()) = rows,
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            bar.inc(u64::try_from(length)?);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.clamp(1, parts.len().max(1))).map(|_| scope.spawn(one_thread)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| bail!("a thread of the evaluation broke down; this is a bug"))
        })
    })?;
    bar.finish_and_clear();
    Ok(found.into_iter().flat_map(|rows| rows.into_inner().unwrap_or_else(|broken| broken.into_inner())).collect())
}

fn progress(name: &str, n_rows: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::new(u64::try_from(n_rows)?);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template("{prefix:20} {bar:30} {pos}/{len} rows, {eta} left")?);
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}
