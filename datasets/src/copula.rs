//! Counts with a five-dimensional signal of Clayton dependence. Paper, section 4.2.3.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use ndarray::{Array1, Array2, Axis, concatenate, stack};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, positive};
use crate::signals::SignalData;
use crate::table::{ColumnValues, TableOptions, read_table_from};

/// SHA-256 of the authors' `copula.csv`.
const PUBLISHED: &str = "52f63d52c609ea3d9108658cef980c126d091425c57856ac8c0aea35733b4f5f";

/// Coordinates of the signal, and covariates of either kind.
const WIDTH: usize = 5;

/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How counts are observed: `y ~ Poisson(exp(x β + w u))`, `x` and `w` from `N(0, covariate_std² I)`. Paper, Eq. 22 to 25.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Fixed effects `β`.
    pub beta: Vec<f64>,
    /// Standard deviation of every covariate.
    pub covariate_std: f64,
    /// Seed of ChaCha8, which draws covariates and counts.
    pub seed: u64,
}

impl Counts {
    /// The paper's law, with the `β` of the authors' draw.
    ///
    /// Their file does not hold it. It is what R 4.2.2 gives after the covariates:
    /// `set.seed(123); rnorm(1e5); runif(5, -2, 2)`.
    #[must_use]
    pub fn paper() -> Self {
        let beta = vec![
            0.417_970_941_402_018_07,
            0.078_948_818_147_182_46,
            1.865_723_506_547_510_6,
            1.215_899_024_158_716_2,
            -0.094_698_347_151_279_45,
        ];
        Self { beta, covariate_std: 0.2, seed: 42 }
    }
}

/// The authors' draw from their `copula.csv`, gzipped or not: 10,000 rows, observed `(x, w, y)`, `(N, 11)`, and signal `u`, `(N, 5)`.
///
/// # Errors
/// If the file cannot be read, or is not the published one.
pub fn published_copula(path: &Path) -> Result<SignalData> {
    let file = path.display().to_string();
    let unreadable = |error: std::io::Error| Error::Unreadable { file: file.clone(), reason: error.to_string() };
    let mut text = fs::read(path).map_err(unreadable)?;
    if text.starts_with(&GZIP) {
        let mut unzipped = Vec::new();
        GzDecoder::new(&text[..]).read_to_end(&mut unzipped).map_err(unreadable)?;
        text = unzipped;
    }
    let found: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != PUBLISHED {
        return Err(Error::Altered { file, found, published: PUBLISHED });
    }
    parse(&text, &file)
}

/// The columns `x.1` to `x.5`, `w.1` to `w.5` and `y`, and beside them `u.1` to `u.5`.
fn parse(text: &[u8], file: &str) -> Result<SignalData> {
    let table = read_table_from(text, file, &TableOptions::default())?;
    let column = |name: String| match table.column(&name) {
        Some(ColumnValues::Numbers(values)) if values.iter().all(|value| value.is_finite()) => {
            Ok(Array1::from(values.clone()))
        }
        _ => Err(Error::NoNumbers { file: file.to_owned(), column: name }),
    };
    let block = |letter: &str| (1..=WIDTH).map(|k| column(format!("{letter}.{k}"))).collect::<Result<Vec<_>>>();
    let observed = [block("x")?, block("w")?, vec![column("y".to_owned())?]].concat();
    let beside = |columns: &[Array1<f64>]| {
        let views: Vec<_> = columns.iter().map(Array1::view).collect();
        stack(Axis(1), &views).expect("columns of one table have one length")
    };
    Ok(SignalData { observed: beside(&observed), signal: beside(&block("u")?) })
}

/// Observes a signal `u`, `(N, D)`, through counts: observed `(x, w, y)`, `(N, p + D + 1)` with `p` fixed effects.
///
/// # Errors
/// A scale that is not positive, no rows, or a rate beyond all counts.
pub fn observe_counts(signal: Array2<f64>, settings: &Counts) -> Result<SignalData> {
    let std = settings.covariate_std;
    positive("covariate_std", std)?;
    let (n_rows, width) = signal.dim();
    if n_rows == 0 {
        return Err(Error::NoRows);
    }
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut covariates = |columns| {
        Array2::from_shape_simple_fn((n_rows, columns), || {
            let normal: f64 = random.sample(StandardNormal);
            std * normal
        })
    };
    let (fixed, random_effects) = (covariates(settings.beta.len()), covariates(width));
    let log_rates = fixed.dot(&Array1::from(settings.beta.clone())) + (&random_effects * &signal).sum_axis(Axis(1));
    let mut counts = Array2::zeros((n_rows, 1));
    for (count, log_rate) in counts.iter_mut().zip(&log_rates) {
        let law = Poisson::new(log_rate.exp()).map_err(|_| Error::Rate { log_rate: *log_rate })?;
        *count = law.sample(&mut random);
    }
    let observed = concatenate(Axis(1), &[fixed.view(), random_effects.view(), counts.view()]);
    Ok(SignalData { observed: observed.expect("all parts have the signal's rows"), signal })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#""","x.1","x.2","x.3","x.4","x.5","w.1","w.2","w.3","w.4","w.5","y","u.1","u.2","u.3","u.4","u.5""#;

    #[test]
    fn a_row_is_taken_apart() {
        let text = format!("{HEADER}\n\"1\",1,2,3,4,5,6,7,8,9,10,11,-1.5,13,14,15,16\n");
        let data = parse(text.as_bytes(), "copula.csv").unwrap();
        assert_eq!(data.observed.row(0).to_vec(), (1..12).map(f64::from).collect::<Vec<_>>());
        assert_eq!(data.signal.row(0).to_vec(), [-1.5, 13.0, 14.0, 15.0, 16.0]);
    }

    #[test]
    fn a_column_that_is_missing_or_no_number_is_named() {
        let row = |cell: &str| format!("{HEADER}\n\"1\",1,2,3,4,5,6,7,{cell},9,10,11,12,13,14,15,16\n");
        for text in [row("much"), row("NaN"), row("inf"), row(""), "a,b\n1,2\n".to_owned()] {
            let name = if text.starts_with('a') { "x.1" } else { "w.3" };
            let message = parse(text.as_bytes(), "copula.csv").unwrap_err().to_string();
            assert_eq!(message, format!("copula.csv: expected a column `{name}` of numbers"));
        }
    }

    #[test]
    fn another_file_is_not_taken_for_the_published_one() {
        let folder = std::env::temp_dir().join(format!("aais-copula-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let message = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).unwrap();
            published_copula(&path).unwrap_err().to_string()
        };
        let altered = message("altered.csv", HEADER.as_bytes());
        assert!(altered.contains("altered.csv") && altered.contains("SHA-256"), "{altered}");
        let cut = message("cut.csv.gz", &[0x1f, 0x8b, 8, 0, 0, 0]);
        assert!(cut.contains("cannot read") && cut.contains("cut.csv.gz"), "{cut}");
        let absent = published_copula(&folder.join("absent.csv")).unwrap_err().to_string();
        assert!(absent.contains("cannot read") && absent.contains("absent.csv"), "{absent}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn counts_have_the_mean_of_their_law() {
        let n_rows = 200_000;
        let settings = Counts { beta: vec![1.0, -2.0], covariate_std: 0.3, seed: 5 };
        let data = observe_counts(Array2::from_elem((n_rows, 3), 0.5), &settings).unwrap();
        assert_eq!(data.observed.dim(), (n_rows, 6));
        let mean = data.observed.column(5).mean().unwrap();
        // The log rate is normal with variance .09 (1 + 4 + .75).
        let exact = (0.5 * 0.09 * 5.75_f64).exp();
        let variance = exact + exact * exact * ((0.09 * 5.75_f64).exp() - 1.0);
        assert!((mean - exact).abs() < 5.0 * (variance / n_rows as f64).sqrt(), "{mean} {exact}");
        let x_std = data.observed.column(1).std(0.0);
        assert!((x_std - 0.3).abs() < 5.0 * 0.3 / (2.0 * n_rows as f64).sqrt(), "{x_std}");
    }

    #[test]
    fn bad_settings_are_refused() {
        let settings = |covariate_std| Counts { covariate_std, ..Counts::paper() };
        assert!(observe_counts(Array2::zeros((2, 5)), &settings(0.0)).is_err());
        assert_eq!(observe_counts(Array2::zeros((0, 5)), &settings(0.2)), Err(Error::NoRows));
        let beyond = observe_counts(Array2::from_elem((3, 5), 1e9), &settings(0.2)).unwrap_err();
        assert!(matches!(beyond, Error::Rate { .. }), "{beyond}");
    }
}
