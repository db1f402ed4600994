//! Gray images, small enough to commit: a digit a pixel.

use anyhow::{Error, Result, ensure};
use serde::{Deserialize, Serialize};

/// The darkest gray; `0` is the paper.
pub const DARKEST: u8 = 15;

/// Images of one size that a model generated, and some of the data beside what it makes of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Images {
    height: usize,
    width: usize,
    /// From the prior.
    generated: Vec<Gray>,
    /// Of the data.
    originals: Vec<Gray>,
    /// One of each original.
    reconstructions: Vec<Gray>,
}

/// One image: a hexadecimal digit for each pixel, `0` the paper and `f` the ink, row by row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gray(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    height: usize,
    width: usize,
    generated: Vec<Gray>,
    originals: Vec<Gray>,
    reconstructions: Vec<Gray>,
}

impl Gray {
    /// Of the ink's share of each pixel, from 0 to 1.
    ///
    /// # Errors
    /// If one is not in between.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 15")]
    pub fn of(shares: impl IntoIterator<Item = f64>) -> Result<Self> {
        let digit = |share: f64| -> Result<char> {
            ensure!((0.0..=1.0).contains(&share), "a pixel has the share {share} of the ink; expected 0 to 1");
            let level = (share * f64::from(DARKEST)).round() as u32;
            Ok(char::from_digit(level, 16).unwrap_or('f'))
        };
        Ok(Self(shares.into_iter().map(digit).collect::<Result<_>>()?))
    }

    /// From 0 to [`DARKEST`], row by row.
    pub fn levels(&self) -> impl Iterator<Item = u8> {
        self.0.chars().map(|digit| digit.to_digit(16).and_then(|level| u8::try_from(level).ok()).unwrap_or(0))
    }
}

impl Images {
    /// Images of `[height, width]`, and as many reconstructions as originals.
    ///
    /// # Errors
    /// If one has another size, or there are more or fewer reconstructions than originals.
    pub fn new(
        [height, width]: [usize; 2],
        generated: Vec<Gray>,
        originals: Vec<Gray>,
        reconstructions: Vec<Gray>,
    ) -> Result<Self> {
        for Gray(digits) in generated.iter().chain(&originals).chain(&reconstructions) {
            let is_image = digits.len() == height * width && digits.chars().all(|digit| digit.is_ascii_hexdigit());
            ensure!(is_image, "an image of {height} x {width} has as many hexadecimal digits, not `{digits}`");
        }
        let (found, wanted) = (reconstructions.len(), originals.len());
        ensure!(found == wanted, "{found} reconstructions of {wanted} images");
        Ok(Self { height, width, generated, originals, reconstructions })
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// From the prior.
    pub fn generated(&self) -> &[Gray] {
        &self.generated
    }

    /// Of the data.
    pub fn originals(&self) -> &[Gray] {
        &self.originals
    }

    /// One of each original.
    pub fn reconstructions(&self) -> &[Gray] {
        &self.reconstructions
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.generated.is_empty() && self.originals.is_empty()
    }
}

impl TryFrom<Unchecked> for Images {
    type Error = Error;

    fn try_from(Unchecked { height, width, generated, originals, reconstructions }: Unchecked) -> Result<Self> {
        Self::new([height, width], generated, originals, reconstructions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_a_digit() {
        let image = Gray::of([0.0, 0.03, 0.04, 0.5, 1.0]).unwrap();
        assert_eq!(image, Gray("0018f".into()));
        assert_eq!(image.levels().collect::<Vec<_>>(), [0, 0, 1, 8, 15]);
        assert!(Gray::of([1.5]).unwrap_err().to_string().contains("the share 1.5"));
        assert!(Gray::of([f64::NAN]).is_err());
    }

    #[test]
    fn images_read_back_and_others_are_refused() {
        let image = || Gray::of([0.0, 1.0]).unwrap();
        let images = Images::new([1, 2], vec![image()], vec![image()], vec![image()]).unwrap();
        let written = serde_json::to_string(&images).unwrap();
        let expected = r#"{"height":1,"width":2,"generated":["0f"],"originals":["0f"],"reconstructions":["0f"]}"#;
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_str::<Images>(&written).unwrap(), images);

        let refusal = |from: &str, to: &str| serde_json::from_str::<Images>(&written.replace(from, to)).unwrap_err();
        assert!(refusal("\"width\":2", "\"width\":3").to_string().contains("1 x 3"));
        assert!(refusal("[\"0f\"],\"orig", "[\"0g\"],\"orig").to_string().contains("not `0g`"));
        assert!(refusal("\"originals\":[\"0f\"]", "\"originals\":[]").to_string().contains("1 reconstructions of 0"));
    }
}
