//! Work on rayon's threads.

use rayon::prelude::*;

/// Runs `work` on every item, on rayon's threads if its pool has several.
///
/// A pool of one thread would serialize callers that each have a thread of their own, so it is left alone.
pub(crate) fn for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if items.len() > 1 && rayon::current_num_threads() > 1 {
        items.into_par_iter().for_each(work);
    } else {
        items.into_iter().for_each(work);
    }
}
