//! Where public data sets are to be had, and how to know that they have arrived.

/// Files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// The name on the command line, which is also the folder.
    pub name: String,
    /// What it is, in a line.
    pub title: String,
    /// On what terms others publish it.
    pub terms: String,
    /// All it takes.
    pub files: Vec<RemoteFile>,
}

/// A file that others publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it lies below the data folder, with `/` between folders.
    pub path: String,
    /// Its public addresses, the first to be asked first.
    pub urls: Vec<String>,
    /// How long it is.
    pub size: Size,
    /// The digest of the whole file.
    pub checksum: Checksum,
}

/// The length of a file in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Exactly so many.
    Bytes(u64),
    /// About so many, and certainly fewer than twice as many.
    About(u64),
}

/// A digest in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(String),
    /// MD5, where nothing else is published: it tells accidents, not intent.
    Md5(String),
}

/// All data sets that can be fetched.
///
/// ```
/// let names: Vec<String> = aais_datasets::catalogue().into_iter().map(|set| set.name).collect();
/// assert_eq!(names, ["mnist", "cortex", "verbagg"]);
/// ```
#[must_use]
pub fn catalogue() -> Vec<DataSet> {
    vec![mnist(), cortex(), verbagg()]
}

fn mnist() -> DataSet {
    let file = |name: &str, bytes, sha256: &str| RemoteFile {
        path: format!("mnist/{name}"),
        urls: vec![
            format!("https://storage.googleapis.com/cvdf-datasets/mnist/{name}"),
            format!("https://ossci-datasets.s3.amazonaws.com/mnist/{name}"),
        ],
        size: Size::Bytes(bytes),
        checksum: Checksum::Sha256(sha256.to_owned()),
    };
    DataSet {
        name: "mnist".to_owned(),
        title: "MNIST, 60,000 + 10,000 handwritten digits".to_owned(),
        terms: "copyright Yann LeCun and Corinna Cortes, derived from NIST data; \
                Creative Commons Attribution-Share Alike 3.0"
            .to_owned(),
        files: vec![
            file(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ],
    }
}

fn cortex() -> DataSet {
    DataSet {
        name: "cortex".to_owned(),
        title: "Mouse cortex and hippocampus, counts of 19,972 genes in 3,005 cells (Zeisel et al., Science 347, 2015)"
            .to_owned(),
        terms: "no licence is stated; the authors deposited the data at GEO as GSE60361".to_owned(),
        files: vec![RemoteFile {
            path: "cortex/expression_mRNA_17-Aug-2014.txt".to_owned(),
            urls: vec![
                "https://storage.googleapis.com/linnarsson-lab-www-blobs/blobs/cortex/expression_mRNA_17-Aug-2014.txt"
                    .to_owned(),
            ],
            size: Size::About(124_000_000),
            checksum: Checksum::Md5("6bb4c2a9ade87b16909d39004021849e".to_owned()),
        }],
    }
}

fn verbagg() -> DataSet {
    DataSet {
        name: "verbagg".to_owned(),
        title: "Verbal aggression, 316 persons' answers to 24 questions; part of this program, here as CSV".to_owned(),
        terms: "part of the R package lme4, GPL version 2 or later; De Boeck and Wilson (2004), \
                Explanatory Item Response Models, Springer"
            .to_owned(),
        files: vec![RemoteFile {
            path: "verbagg/VerbAgg.csv".to_owned(),
            urls: vec![
                "https://raw.githubusercontent.com/vincentarelbundock/Rdatasets/master/csv/lme4/VerbAgg.csv".to_owned(),
            ],
            size: Size::Bytes(353_362),
            checksum: Checksum::Sha256("4d3c3a0c4497e5a87b873038996a9878136b188ec5bef3b873dcb4858c18b75b".to_owned()),
        }],
    }
}

impl RemoteFile {
    /// The same file at other addresses: below each mirror, at its path below the data folder.
    #[must_use]
    pub fn at_mirrors<S: AsRef<str>>(&self, mirrors: &[S]) -> Self {
        let url = |mirror: &S| format!("{}/{}", mirror.as_ref().trim_end_matches('/'), self.path);
        Self { urls: mirrors.iter().map(url).collect(), ..self.clone() }
    }
}

impl Size {
    /// Whether a file of so many bytes may be the one.
    #[must_use]
    pub fn allows(self, bytes: u64) -> bool {
        match self {
            Self::Bytes(exactly) => bytes == exactly,
            Self::About(about) => bytes < about.saturating_mul(2),
        }
    }

    /// The most bytes that the file may have.
    #[must_use]
    pub fn at_most(self) -> u64 {
        match self {
            Self::Bytes(exactly) => exactly,
            Self::About(about) => about.saturating_mul(2),
        }
    }
}

impl Checksum {
    /// What kind of digest it is: SHA-256 or MD5.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::Md5(_) => "MD5",
        }
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Md5(digits) => digits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_place_an_address_and_a_whole_checksum() {
        for set in catalogue() {
            for file in set.files {
                assert!(file.path.starts_with(&format!("{}/", set.name)), "{}", file.path);
                assert!(!file.urls.is_empty() && file.urls.iter().all(|url| url.starts_with("https://")));
                let digits = if file.checksum.kind() == "MD5" { 32 } else { 64 };
                assert!(file.checksum.digits().len() == digits, "{}", file.path);
                assert!(file.checksum.digits().bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
            }
        }
    }

    #[test]
    fn a_mirror_is_laid_out_like_the_data_folder() {
        let file = mnist().files.remove(3).at_mirrors(&["http://lab/data/", "https://b"]);
        assert_eq!(
            file.urls,
            ["http://lab/data/mnist/t10k-labels-idx1-ubyte.gz", "https://b/mnist/t10k-labels-idx1-ubyte.gz"]
        );
    }
}
