//! MNIST as it is published, where its files are at hand.
//!
//! Golden values: labels per digit, counted by `numpy.bincount` of numpy 2.4.6 on the arrays read by `numpy.frombuffer`
//! behind the headers, mean pixels by `images.mean() / 255`, and ink by `numpy.round(images / 255).sum()`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use aais_datasets::{Images, mnist};

fn labels_per_digit(images: &Images) -> [usize; 10] {
    let mut counts = [0; 10];
    images.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
    counts
}

fn mean_pixel(images: &Images) -> f64 {
    images.pixels.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / images.pixels.len() as f64 / 255.0
}

#[test]
fn mnist_is_the_published_one() {
    let Some(folder) = std::env::var_os("AAIS_DATA_DIR").map(PathBuf::from).filter(|f| f.join("mnist").is_dir()) else {
        eprintln!("skipped: AAIS_DATA_DIR names no folder with mnist/");
        return;
    };
    let mnist = mnist(&folder).unwrap();
    assert_eq!((mnist.train.pixels.dim(), mnist.test.pixels.dim()), ((60_000, 28, 28), (10_000, 28, 28)));
    assert_eq!(labels_per_digit(&mnist.train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(labels_per_digit(&mnist.test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert!((mean_pixel(&mnist.train) - 0.130_660_476_273_842_9).abs() < 1e-12, "{}", mean_pixel(&mnist.train));
    assert!((mean_pixel(&mnist.test) - 0.132_514_605_842_336_93).abs() < 1e-12, "{}", mean_pixel(&mnist.test));

    let ink: usize = mnist.test.binarized().iter().map(|pixel| usize::from(*pixel)).sum();
    assert_eq!((mnist.test.binarized().dim(), ink), ((10_000, 784), 1_052_359));
}
