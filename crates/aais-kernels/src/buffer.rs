//! Memory that is used again, and views of tensors as slices.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// A buffer of at least the asked length whose memory goes back to its thread when dropped.
///
/// Fresh pages cost as much as the arithmetic on them. The contents are whatever was there before.
pub(crate) struct Buffer {
    lines: Vec<Line>,
    length: usize,
}

/// A cache line: loads of whole vectors then never cross two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read through `Buffer`")] [f32; LINE]);

const LINE: usize = 16;

/// Buffers a thread keeps; more are freed.
const KEPT: usize = 32;

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

impl Buffer {
    /// The smallest kept buffer that is long enough, or a new one.
    pub fn take(length: usize) -> Self {
        let n_lines = length.div_ceil(LINE);
        let found = FREE.with_borrow_mut(|free| {
            // One far too large is left for whom it fits.
            let fits = |lines: &Vec<Line>| (n_lines..=2 * n_lines + 64).contains(&lines.len());
            let best = free.iter().enumerate().filter(|(_, lines)| fits(lines)).min_by_key(|(_, lines)| lines.len());
            best.map(|(index, _)| index).map(|index| free.swap_remove(index))
        });
        Self { lines: found.unwrap_or_else(|| vec![Line([0.0; LINE]); n_lines]), length }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that is ending has no list any more.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(lines);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: lines are arrays of floats without padding, and `length` floats fit in them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

/// The values of a contiguous `f32` tensor as a custom operation sees it.
pub(crate) fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a fused operation takes contiguous tensors") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Runs `f` on the values of an `f32` tensor on the CPU, row after row, without a copy where they lie so.
pub(crate) fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(f32_slice(storage, layout)?),
        _ => bail!("a fused operation takes tensors on the CPU"),
    }
}
