//! The draws are the published ones, bit for bit.
//!
//! Golden values: the arrays that the paper's authors published with their code (github.com/GwangWooKim/AAIS:
//! `exp1d_{x,u}.npy`, `mix1d_{x,u}.npy`, `circle_{x,u}.npy`), made by numpy's legacy generator with seed 42.
//! Each digest is the SHA-256 of an array's doubles, little-endian and row by row:
//! `hashlib.sha256(numpy.load(file).astype("<f8").tobytes()).hexdigest()`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use aais_datasets::{Circle, Exponential, Mixture, circle, exponential, mixture, published_copula};

/// Logarithms, sines and cosines decide the last bits, and those are glibc's. Without fused multiplication and addition
/// (x86-64 before 2013) its sines and cosines differ, and the circle with them in 14 of 10,000 numbers.
#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
mod bit_for_bit {
    use super::*;
    use sha2::{Digest, Sha256};

    fn sha256<'a>(values: impl IntoIterator<Item = &'a f64>) -> String {
        let mut hasher = Sha256::new();
        values.into_iter().for_each(|value| hasher.update(value.to_le_bytes()));
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn exponential_is_the_published_draw() {
        let data = exponential(&Exponential::paper()).unwrap();
        assert_eq!(sha256(&data.signal), "244d610f80721cbaf4cce6b60e1a0edcd5b9327104d8ddf0d9f205a184c05581");
        assert_eq!(sha256(&data.observed), "b5ac3a054c921ce6896b4276e1f8c694a849f38cb3194896ca511b79b9712755");
    }

    #[test]
    fn mixture_is_the_published_draw() {
        let data = mixture(&Mixture::paper()).unwrap();
        assert_eq!(sha256(&data.signal), "5c90cddc302b6f136de9600285d75541ac0cbc1b305a16ef6643bfd2c334b0e6");
        assert_eq!(sha256(&data.observed), "b1a37b26be031ddcf133074a3de09eb6f5f16c6ebdc27ebd00471d57e333e8f0");
    }

    #[test]
    fn circle_is_the_published_draw() {
        let data = circle(&Circle::paper()).unwrap();
        // The published `u` of the circle is the cluster, 0 or 1, as a double.
        let clusters: Vec<f64> = data.components.iter().map(|component| *component as f64).collect();
        assert_eq!(sha256(&clusters), "9493923d232ec2a59cd44d3950d099b33d99cec751ebb44a331271c5c334984e");
        assert_eq!(sha256(&data.points), "9d1e5e6608a911d0b4c1260425d2e2f3e5635642949268cfc0971cd9c47de4af");
    }
}

/// On every platform, to the few last bits that its mathematical library decides.
#[test]
fn last_rows_are_the_published_ones() {
    let exponential = exponential(&Exponential::paper()).unwrap();
    let mixture = mixture(&Mixture::paper()).unwrap();
    let circle = circle(&Circle::paper()).unwrap();
    let last = [
        (exponential.signal[[4999, 0]], 1.819_188_299_880_251_3),
        (exponential.observed[[4999, 0]], 3.661_003_909_266_858_3),
        (mixture.signal[[4999, 0]], 2.550_563_094_561_335),
        (mixture.observed[[4999, 0]], 2.117_131_456_921_190_3),
        (circle.points[[4999, 0]], -0.943_012_422_521_424_1),
        (circle.points[[4999, 1]], 0.332_757_525_790_589_76),
    ];
    for (value, published) in last {
        assert!((value - published).abs() < 1e-14, "{value} instead of {published}");
    }
}

/// The copula's draw comes from R and is a file; where it is at hand, its first and last rows are these.
#[test]
fn the_copula_file_is_read_to_its_last_row() {
    let Some(folder) = std::env::var_os("AAIS_DATA_DIR").map(PathBuf::from) else {
        eprintln!("skipped: AAIS_DATA_DIR names no folder with synthetic/copula.csv.gz");
        return;
    };
    let data = published_copula(&folder.join("synthetic/copula.csv.gz")).unwrap();
    assert_eq!((data.observed.dim(), data.signal.dim()), ((10_000, 11), (10_000, 5)));
    assert_eq!(data.observed[[0, 0]], -0.112_095_129_310_443);
    assert_eq!(data.observed[[9999, 10]], 2.0);
    assert_eq!(data.signal[[9999, 4]], 0.228_575_516_735_881);
    // Counts of mean 1.4175 and at most 103.
    let counts = data.observed.column(10);
    assert!((counts.mean().unwrap() - 1.4175).abs() < 1e-12);
    assert_eq!(counts.iter().copied().fold(0.0, f64::max), 103.0);
}
