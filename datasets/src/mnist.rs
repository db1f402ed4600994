//! MNIST: 70,000 handwritten digits. Paper, Table 5.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Array3};
use sha2::{Digest, Sha256};

use crate::idx::{read_idx_images, read_idx_labels};
use crate::{Error, Result};

/// Digits and what they are meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Gray values, 0 is the paper and 255 the ink, `(N, height, width)`.
    pub pixels: Array3<u8>,
    /// The digits, `(N,)`.
    pub labels: Array1<u8>,
}

/// The two parts of MNIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mnist {
    /// 60,000 images of 28 × 28.
    pub train: Images,
    /// 10,000 images of 28 × 28.
    pub test: Images,
}

/// A file with the SHA-256 of what it holds, unzipped.
struct Part {
    name: &'static str,
    sha256: &'static str,
}

const TRAIN: [Part; 2] = [
    Part {
        name: "train-images-idx3-ubyte",
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Part {
        name: "train-labels-idx1-ubyte",
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
];

const TEST: [Part; 2] = [
    Part { name: "t10k-images-idx3-ubyte", sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7" },
    Part { name: "t10k-labels-idx1-ubyte", sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2" },
];

/// MNIST from `mnist/` below a data folder, the four published files, gzipped (`.gz`) or not.
///
/// # Errors
/// A file that is not there, cannot be read, or does not hold what is published.
pub fn mnist(data_folder: &Path) -> Result<Mnist> {
    let folder = data_folder.join("mnist");
    Ok(Mnist { train: published(&folder, &TRAIN)?, test: published(&folder, &TEST)? })
}

impl Images {
    /// Images and labels from two IDX files.
    ///
    /// # Errors
    /// Those of [`read_idx_images`] and [`read_idx_labels`], or as many labels as there are not images.
    pub fn read(images: &Path, labels: &Path) -> Result<Self> {
        let read = Self { pixels: read_idx_images(images)?, labels: read_idx_labels(labels)? };
        let (n_images, n_labels) = (read.pixels.dim().0, read.labels.len());
        if n_images != n_labels {
            let (images, labels) = (images.display().to_string(), labels.display().to_string());
            return Err(Error::UnequalCounts { images, n_images, labels, n_labels });
        }
        Ok(read)
    }

    /// Number of images.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.pixels.dim().0
    }

    /// `round(v / 255)`: 1 from 128 on and else 0, an image a row, `(N, height · width)`.
    #[must_use]
    pub fn binarized(&self) -> Array2<u8> {
        let (n_rows, height, width) = self.pixels.dim();
        let pixels = self.pixels.iter().map(|pixel| u8::from(*pixel >= 128)).collect();
        Array2::from_shape_vec((n_rows, height * width), pixels).expect("a value for each pixel")
    }
}

fn published(folder: &Path, [images, labels]: &[Part; 2]) -> Result<Images> {
    let (images_path, labels_path) = (images.find(folder)?, labels.find(folder)?);
    let read = Images::read(&images_path, &labels_path)?;
    let (n_rows, height, width) = read.pixels.dim();
    images.check(&images_path, &[2051, n_rows, height, width], read.pixels.iter())?;
    labels.check(&labels_path, &[2049, n_rows], read.labels.iter())?;
    Ok(read)
}

impl Part {
    fn find(&self, folder: &Path) -> Result<PathBuf> {
        let zipped = folder.join(format!("{}.gz", self.name));
        let plain = folder.join(self.name);
        match (zipped.exists(), plain.exists()) {
            (true, _) => Ok(zipped),
            (false, true) => Ok(plain),
            (false, false) => Err(Error::Missing { file: zipped.display().to_string(), dataset: "mnist".to_owned() }),
        }
    }

    /// Compares what the file held, written out again, with what is published.
    fn check<'a>(&self, path: &Path, header: &[usize], bytes: impl Iterator<Item = &'a u8>) -> Result<()> {
        let mut hasher = Sha256::new();
        for number in header {
            hasher.update(u32::try_from(*number).unwrap_or(u32::MAX).to_be_bytes());
        }
        hasher.update(bytes.copied().collect::<Vec<_>>());
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == self.sha256 {
            return Ok(());
        }
        Err(Error::Altered { file: path.display().to_string(), found, published: self.sha256 })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;

    fn idx(header: &[u32], bytes: &[u8]) -> Vec<u8> {
        header.iter().flat_map(|number| number.to_be_bytes()).chain(bytes.iter().copied()).collect()
    }

    /// A data folder with the files of MNIST's names that are given, one image and some labels each.
    fn folder(names: &[&str], n_labels: u8) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mnist")).unwrap();
        for name in names {
            let labels: Vec<u8> = (0..n_labels).collect();
            let is_images = name.contains("idx3");
            let bytes = if is_images {
                idx(&[2051, 1, 2, 2], &[0, 127, 128, 255])
            } else {
                idx(&[2049, u32::from(n_labels)], &labels)
            };
            fs::write(folder.path().join("mnist").join(name), bytes).unwrap();
        }
        folder
    }

    fn message(folder: &tempfile::TempDir) -> String {
        mnist(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn a_pixel_is_ink_from_128_on() {
        let folder = folder(&["a-idx3", "b"], 1);
        let path = |name| folder.path().join("mnist").join(name);
        let images = Images::read(&path("a-idx3"), &path("b")).unwrap();
        assert_eq!((images.n_rows(), images.binarized().row(0).to_vec()), (1, vec![0, 0, 1, 1]));
    }

    #[test]
    fn a_file_that_is_missing_is_named_with_the_command_that_gets_it() {
        let message = message(&folder(&["train-images-idx3-ubyte"], 1));
        assert!(
            message.contains("train-labels-idx1-ubyte.gz is not there; get it with `cargo xtask data mnist`"),
            "{message}"
        );
    }

    #[test]
    fn other_images_are_not_taken_for_mnist() {
        let message = message(&folder(&["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"], 1));
        assert!(message.contains("train-images-idx3-ubyte has SHA-256 "), "{message}");
        assert!(message.contains("the published file has ba891046"), "{message}");
    }

    #[test]
    fn as_many_labels_as_images_are_wanted() {
        let message = message(&folder(&["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], 3));
        assert!(message.contains("train-images-idx3-ubyte has 1 images and "), "{message}");
        assert!(message.contains("train-labels-idx1-ubyte 3 labels"), "{message}");
    }
}
