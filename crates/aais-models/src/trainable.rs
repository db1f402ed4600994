//! What a trainer needs to know of a model.

use candle_core::Var;

/// Parameters that an optimizer moves, and numbers that follow training without one.
pub trait Model {
    /// Columns of the data.
    fn observed(&self) -> usize;

    /// Everything trained, flat tensors in a fixed order, with their names.
    fn variables(&self) -> Vec<(&'static str, &Var)>;

    /// For each of [`variables`](Self::variables), which values weight decay reaches.
    fn decay_masks(&self) -> Vec<Vec<bool>>;

    /// What changes in training but has no gradient, such as running means: flat tensors in a fixed order, with their names.
    ///
    /// A [`Loss`](crate::Loss) says what they become; they go into checkpoints.
    fn buffers(&self) -> Vec<(&'static str, &Var)> {
        Vec::new()
    }

    /// Rows that a batch must have at least.
    fn least_rows(&self) -> usize {
        1
    }
}
