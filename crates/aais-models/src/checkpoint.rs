//! The state of a training run as one safetensors file.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const FORMAT: &str = "aais checkpoint 2";

/// What [`Trainer::checkpoint`](crate::Trainer::checkpoint) gives and `restore` takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Epochs finished.
    pub epoch: usize,
    /// Steps of the optimizer since it last began.
    pub adam_step: u64,
    /// Names the settings it belongs to.
    pub fingerprint: String,
    /// The caller's own text.
    pub note: String,
    /// Parameters, moments and averages by name.
    pub vectors: BTreeMap<String, Vec<f32>>,
}

impl Checkpoint {
    /// The bytes of a safetensors file with a checksum of its values.
    ///
    /// # Errors
    /// If the format refuses a name.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let broken = |error| Error::Checkpoint { problem: format!("cannot be written ({error})") };
        let bytes: BTreeMap<&str, Vec<u8>> = self
            .vectors
            .iter()
            .map(|(name, values)| (name.as_str(), values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, bytes) in &bytes {
            views.push((*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(broken)?));
        }
        let checksum = checksum(&self.header(), bytes.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
        let header = HashMap::from([("header".to_owned(), self.header()), ("checksum".to_owned(), checksum)]);
        serialize(views, Some(header)).map_err(broken)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// If the bytes are cut short, altered, or of something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let broken = |problem: &str| Error::Checkpoint { problem: problem.to_owned() };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|_| broken("is cut short or no checkpoint"))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|_| broken("is cut short or no checkpoint"))?;
        let entries = metadata.metadata().clone().unwrap_or_default();
        let header = entries.get("header").ok_or_else(|| broken("is no checkpoint of this program"))?;

        let views: BTreeMap<String, TensorView> = tensors.tensors().into_iter().collect();
        let found = checksum(header, views.iter().map(|(name, view)| (name.as_str(), view.data())));
        if entries.get("checksum") != Some(&found) {
            return Err(broken("has been altered: its checksum does not fit"));
        }
        let mut lines = header.splitn(5, '\n');
        let mut next = || lines.next().ok_or_else(|| broken("has an incomplete header"));
        if next()? != FORMAT {
            return Err(broken("is of another version"));
        }
        let epoch = next()?.parse().map_err(|_| broken("has no epoch"))?;
        let adam_step = next()?.parse().map_err(|_| broken("has no step"))?;
        let (fingerprint, note) = (next()?.to_owned(), next()?.to_owned());
        let value = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
        let vectors = views.iter().map(|(name, view)| (name.clone(), view.data().chunks_exact(4).map(value).collect()));
        Ok(Self { epoch, adam_step, fingerprint, note, vectors: vectors.collect() })
    }

    /// One vector, which must have this length.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>> {
        let problem = |problem| Error::Checkpoint { problem };
        let vector = self.vectors.get(name).ok_or_else(|| problem(format!("has no `{name}`")))?;
        if vector.len() != length {
            return Err(problem(format!("has {} values of `{name}`, the model has {length}", vector.len())));
        }
        Ok(vector.clone())
    }

    fn header(&self) -> String {
        format!("{FORMAT}\n{}\n{}\n{}\n{}", self.epoch, self.adam_step, self.fingerprint, self.note)
    }
}

/// Of the header, and of every vector with its name and length.
fn checksum<'a>(header: &str, vectors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    hash.update(header);
    for (name, bytes) in vectors {
        hash.update(format!("\n{name} {}\n", bytes.len()));
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let vectors = BTreeMap::from([("a".to_owned(), vec![1.0, f32::MIN_POSITIVE]), ("b".to_owned(), vec![-0.0])]);
        Checkpoint { epoch: 3, adam_step: 40, fingerprint: "abc".into(), note: "{\"x\":\n1}".into(), vectors }
    }

    #[test]
    fn a_round_trip_keeps_every_bit() {
        let read = Checkpoint::from_bytes(&checkpoint().to_bytes().unwrap()).unwrap();
        assert_eq!(read, checkpoint());
        assert!(read.vectors["b"][0].is_sign_negative());
    }

    #[test]
    fn damage_is_told() {
        let bytes = checkpoint().to_bytes().unwrap();
        let mut altered = bytes.clone();
        *altered.last_mut().unwrap() ^= 1;
        // The name of a vector, in the file's own header.
        let mut renamed = bytes.clone();
        let place = renamed.windows(3).position(|part| part == b"\"a\"").unwrap();
        renamed[place + 1] = b'c';
        for (bytes, word) in [
            (&altered[..], "checksum"),
            (&renamed[..], "checksum"),
            (&bytes[..bytes.len() - 3], "cut short"),
            (b"hello", "cut short"),
        ] {
            let message = Checkpoint::from_bytes(bytes).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
