//! What a step sees of the data: rows, or groups of rows that share one latent vector.

use candle_core::{D, Device, Result, Tensor, bail};

use crate::error::{self, Error};

/// Some rows, or some groups, of a data set.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `(B, D)`; of groups, the rows of all of them, one group after another.
    pub observed: Tensor,
    /// Positions of the rows, or of the groups, in the data set.
    pub rows: Vec<usize>,
    /// How many equal rows or groups of the data set each stands for, `(B,)`; one each if none.
    pub counts: Option<Vec<f32>>,
    /// Rows of each group, `(B,)`, where the data are groups.
    pub sizes: Option<Vec<usize>>,
    /// Library sizes that rows of counts were drawn with, `(B,)`, where these are not the sums of the rows.
    pub drawn_library_sizes: Option<Tensor>,
}

impl Batch {
    /// Rows that stand for themselves.
    pub fn of_rows(observed: Tensor, rows: Vec<usize>) -> Self {
        Self { observed, rows, counts: None, sizes: None, drawn_library_sizes: None }
    }

    /// The mean over the rows or groups that the batch stands for: `(B,)` or `(B, M)` to a scalar.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn mean(&self, values: &Tensor) -> Result<Tensor> {
        let Some(counts) = &self.counts else { return values.mean_all() };
        let by_row = if values.rank() == 1 { values.clone() } else { values.mean(1)? };
        let counts = Tensor::from_slice(counts, counts.len(), &Device::Cpu)?;
        let total = f64::from(counts.sum_all()?.to_scalar::<f32>()?);
        (by_row * counts.to_device(values.device())?)?.sum_all()? / total
    }

    /// The rows or groups from `first` on, `length` of them.
    ///
    /// # Errors
    /// If a tensor operation fails.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn narrow(&self, first: usize, length: usize) -> Result<Self> {
        let (start, n_rows) = match &self.sizes {
            None => (first, length),
            Some(sizes) => (sizes[..first].iter().sum(), sizes[first..first + length].iter().sum()),
        };
        Ok(Self {
            observed: self.observed.narrow(0, start, n_rows)?,
            rows: self.rows[first..first + length].to_vec(),
            counts: self.counts.as_ref().map(|counts| counts[first..first + length].to_vec()),
            sizes: self.sizes.as_ref().map(|sizes| sizes[first..first + length].to_vec()),
            drawn_library_sizes: self.drawn_library_sizes.as_ref().map(|of| of.narrow(0, first, length)).transpose()?,
        })
    }

    /// Total counts of the rows `(B,)`, or those that they were drawn with.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn library_sizes(&self) -> Result<Tensor> {
        self.drawn_library_sizes.as_ref().map_or_else(|| self.observed.sum(D::Minus1), |sizes| Ok(sizes.clone()))
    }

    /// Rows of each group.
    ///
    /// # Errors
    /// If the data are no groups.
    pub fn sizes(&self) -> Result<&[usize]> {
        match &self.sizes {
            Some(sizes) => Ok(sizes),
            None => bail!("the model is one of groups of rows, the data are single rows; give them as `Groups`"),
        }
    }
}

/// Groups of rows that share one latent vector, each of any size.
#[derive(Clone, Debug)]
pub struct Groups {
    rows: Tensor,
    starts: Vec<usize>,
    counts: Option<Vec<f32>>,
}

impl Groups {
    /// From rows `(R, D)` that lie group after group, and the rows of each group, `(N,)`; zero is a size too.
    ///
    /// # Errors
    /// If the sizes do not add up to the rows.
    pub fn new(rows: Tensor, sizes: &[usize]) -> error::Result<Self> {
        let (found, _) = rows.dims2()?;
        let total: usize = sizes.iter().sum();
        error::require(
            total == found,
            "the sizes of groups",
            "numbers that add up to the rows",
            format!("{total} for {found} rows"),
        )?;
        let starts = std::iter::once(0).chain(sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        }));
        Ok(Self { rows, starts: starts.collect(), counts: None })
    }

    /// Each group standing for so many equal ones, `(N,)`; numbers that are not whole weight it.
    ///
    /// # Errors
    /// If there are more or fewer than groups, or one is not a positive number.
    pub fn with_counts(self, counts: Vec<f32>) -> error::Result<Self> {
        error::require(counts.len() == self.len(), "counts of groups", "one a group", counts.len())?;
        if let Some(count) = counts.iter().find(|count| !count.is_finite() || **count <= 0.0) {
            return Err(Error::Setting {
                name: "a group's count",
                wanted: "a positive number",
                found: count.to_string(),
            });
        }
        Ok(Self { counts: Some(counts), ..self })
    }

    /// `N`.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no groups at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These groups, in this order.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn batch(&self, groups: &[usize]) -> Result<Batch> {
        let device = self.rows.device();
        let mut index: Vec<u32> = Vec::new();
        let mut sizes = Vec::with_capacity(groups.len());
        for &group in groups {
            let Some(&[start, end]) = self.starts.get(group..group + 2) else {
                bail!("there are {} groups, none has the number {group}", self.len());
            };
            index.extend((start..end).map(|row| u32::try_from(row).unwrap_or(u32::MAX)));
            sizes.push(end - start);
        }
        let observed = if index.is_empty() {
            self.rows.narrow(0, 0, 0)?
        } else {
            let n = index.len();
            self.rows.index_select(&Tensor::from_vec(index, n, device)?, 0)?
        };
        let counts = self.counts.as_ref().map(|counts| groups.iter().map(|&group| counts[group]).collect());
        Ok(Batch { counts, sizes: Some(sizes), ..Batch::of_rows(observed, groups.to_vec()) })
    }

    /// The groups with every row changed by `f`, which is told the group's number.
    ///
    /// # Errors
    /// If the rows are no `f32` tensor.
    pub fn map_rows(self, mut f: impl FnMut(usize, &mut [f32])) -> Result<Self> {
        let (_, width) = self.rows.dims2()?;
        let mut values = self.rows.flatten_all()?.to_vec1::<f32>()?;
        for (group, bounds) in self.starts.windows(2).enumerate() {
            for row in bounds[0]..bounds[1] {
                f(group, &mut values[row * width..(row + 1) * width]);
            }
        }
        let rows = Tensor::from_vec(values, self.rows.shape(), self.rows.device())?;
        Ok(Self { rows, ..self })
    }

    pub(crate) fn rows(&self) -> &Tensor {
        &self.rows
    }
}

/// What a model is trained on.
#[derive(Clone, Debug)]
pub enum Observations {
    /// `(N, D)`, a latent vector for each row.
    Rows(Tensor),
    /// A latent vector for each group.
    Groups(Groups),
}

impl From<Tensor> for Observations {
    fn from(rows: Tensor) -> Self {
        Self::Rows(rows)
    }
}

impl From<Groups> for Observations {
    fn from(groups: Groups) -> Self {
        Self::Groups(groups)
    }
}

impl Observations {
    /// Rows or groups, and the width of a row.
    pub(crate) fn dims(&self) -> Result<(usize, usize)> {
        match self {
            Self::Rows(rows) => rows.dims2(),
            Self::Groups(groups) => Ok((groups.len(), groups.rows().dim(1)?)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        Groups::new(Tensor::new(&[[1.0f32], [2.0], [3.0]], &Device::Cpu).unwrap(), &[2, 0, 1]).unwrap()
    }

    #[test]
    fn a_batch_holds_the_rows_of_its_groups() {
        let batch = groups().with_counts(vec![1.0, 2.0, 0.5]).unwrap().batch(&[2, 1, 0]).unwrap();
        assert_eq!(batch.observed.to_vec2::<f32>().unwrap(), [[3.0], [1.0], [2.0]]);
        assert_eq!(batch.sizes.unwrap(), [1, 0, 2]);
        assert_eq!(batch.counts.unwrap(), [0.5, 2.0, 1.0]);
        assert_eq!(groups().batch(&[1]).unwrap().observed.dims(), [0, 1]);
    }

    #[test]
    fn a_part_of_a_batch_holds_the_rows_of_its_groups() {
        let batch = groups().with_counts(vec![1.0, 2.0, 0.5]).unwrap().batch(&[2, 1, 0]).unwrap();
        let part = batch.narrow(1, 2).unwrap();
        assert_eq!(part.observed.to_vec2::<f32>().unwrap(), [[1.0], [2.0]]);
        assert_eq!((part.rows, part.sizes.unwrap()), (vec![1, 0], vec![0, 2]));
        assert_eq!(part.counts.unwrap(), [2.0, 1.0]);
        let rows = Batch::of_rows(Tensor::new(&[[1.0f32], [2.0], [3.0]], &Device::Cpu).unwrap(), vec![7, 8, 9]);
        let part = rows.narrow(2, 1).unwrap();
        assert_eq!((part.observed.to_vec2::<f32>().unwrap(), part.rows), (vec![vec![3.0]], vec![9]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rows = Tensor::new(&[[1.0f32], [2.0]], &Device::Cpu).unwrap();
        assert!(Groups::new(rows, &[1]).unwrap_err().to_string().contains("1 for 2 rows"));
        assert!(groups().with_counts(vec![1.0, 0.0, 1.0]).unwrap_err().to_string().contains("positive"));
        assert!(groups().with_counts(vec![1.0]).unwrap_err().to_string().contains("one a group"));
        assert!(groups().batch(&[3]).unwrap_err().to_string().contains("none has the number 3"));
    }
}
