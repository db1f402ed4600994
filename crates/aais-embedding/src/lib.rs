#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod check;
mod eigen;
mod error;
mod kmeans;
mod neighbours;
mod pacmap;
mod pca;
mod random;
#[cfg(test)]
mod testing;
mod tsne;
mod umap;
mod unit;

pub use error::{Error, Result};
pub use kmeans::{Clustering, KMeans, kmeans};
pub use pacmap::{Pacmap, pacmap};
pub use pca::{Pca, pca};
pub use tsne::{Tsne, tsne};
pub use umap::{Umap, umap};
