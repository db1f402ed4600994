//! Gray pixels: painted on a sheet, or as an image within an SVG.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, Crc, write::ZlibEncoder};
use plotters::{element::Rectangle, prelude::DrawingBackend, style::Color};

use super::{INK, SVG_SCALE, Sheet, as_length};
use crate::cell::{DARKEST, Gray};

/// Pixels of one unit of length, from `0`, the paper, to [`DARKEST`].
#[derive(Debug)]
pub(super) struct Bitmap {
    corner: (i32, i32),
    width: usize,
    height: usize,
    levels: Vec<u8>,
}

impl Bitmap {
    /// Images of one size in rows of `across`, some pixels apart.
    pub(super) fn of(
        images: &[Gray],
        [height, width]: [usize; 2],
        across: usize,
        gap: usize,
        corner: (i32, i32),
    ) -> Self {
        let across = across.min(images.len()).max(1);
        let side = |n: usize, length: usize| (n * (length + gap)).saturating_sub(gap);
        let (total_width, total_height) = (side(across, width), side(images.len().div_ceil(across), height));
        let mut levels = vec![0; total_width * total_height];
        for (index, image) in images.iter().enumerate() {
            let (left, top) = ((index % across) * (width + gap), (index / across) * (height + gap));
            for (pixel, level) in image.levels().enumerate() {
                levels[(top + pixel / width) * total_width + left + pixel % width] = level;
            }
        }
        Self { corner, width: total_width, height: total_height, levels }
    }

    /// Width and height in units.
    pub(super) fn size(&self) -> (i32, i32) {
        (as_length(self.width), as_length(self.height))
    }

    /// Its pixels as rectangles.
    pub(super) fn paint<DB: DrawingBackend>(&self, sheet: &Sheet<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let (left, top) = self.corner;
        for (index, &level) in self.levels.iter().enumerate().filter(|(_, level)| **level > 0) {
            let x = (left + as_length(index % self.width)) * sheet.scale;
            let y = (top + as_length(index / self.width)) * sheet.scale;
            let style = INK.mix(f64::from(level) / f64::from(DARKEST)).filled();
            sheet.area.draw(&Rectangle::new([(x, y), (x + sheet.scale, y + sheet.scale)], style))?;
        }
        Ok(())
    }

    /// An element of an SVG that holds it whole.
    pub(super) fn element(&self) -> Result<String> {
        let [x, y, width, height] =
            [self.corner.0, self.corner.1, self.size().0, self.size().1].map(|units| units * SVG_SCALE);
        Ok(format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" image-rendering=\"pixelated\" \
             href=\"data:image/png;base64,{}\"/>\n",
            base64(&self.png()?)
        ))
    }

    /// A PNG with four bits a pixel, the ink on a paper that is transparent.
    fn png(&self) -> Result<Vec<u8>> {
        let mut header = Vec::new();
        for length in [self.width, self.height] {
            header.extend(u32::try_from(length)?.to_be_bytes());
        }
        header.extend([4, 3, 0, 0, 0]); // Bits a pixel, a palette, and the only kinds of compression, filter and order.
        let palette = [INK.0, INK.1, INK.2].repeat(usize::from(DARKEST) + 1);
        let opacity: Vec<u8> = (0..=DARKEST).map(|level| level * (u8::MAX / DARKEST)).collect();

        let mut rows = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in self.levels.chunks(self.width.max(1)) {
            let packed = row.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0));
            rows.write_all(&std::iter::once(0).chain(packed).collect::<Vec<u8>>())?; // 0: no filter.
        }
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [
            (b"IHDR", header),
            (b"PLTE", palette),
            (b"tRNS", opacity),
            (b"IDAT", rows.finish()?),
            (b"IEND", Vec::new()),
        ] {
            let mut sum = Crc::new();
            sum.update(kind);
            sum.update(&data);
            png.extend(u32::try_from(data.len())?.to_be_bytes());
            png.extend(kind);
            png.extend(&data);
            png.extend(sum.sum().to_be_bytes());
        }
        Ok(png)
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |k: usize| three.get(k).copied().unwrap_or(0);
        let digits =
            [byte(0) >> 2, (byte(0) & 3) << 4 | byte(1) >> 4, (byte(1) & 15) << 2 | byte(2) >> 6, byte(2) & 63];
        for (place, digit) in digits.into_iter().enumerate() {
            text.push(if place > three.len() { '=' } else { char::from(DIGITS[usize::from(digit)]) });
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    fn bitmap() -> Bitmap {
        let image = |share: f64| Gray::of([share, 0.0, 1.0, share]).unwrap();
        Bitmap::of(&[image(0.2), image(0.4), image(0.6)], [2, 2], 2, 1, (7, 9))
    }

    #[test]
    fn images_stand_in_rows_with_gaps() {
        let expected = [[3, 0, 0, 6, 0], [15, 3, 0, 15, 6], [0; 5], [9, 0, 0, 0, 0], [15, 9, 0, 0, 0]];
        assert_eq!(bitmap().size(), (5, 5));
        assert_eq!(bitmap().levels, expected.concat());
        assert!(Bitmap::of(&[], [2, 2], 10, 1, (0, 0)).levels.is_empty());
    }

    #[test]
    fn a_png_holds_the_pixels() {
        let png = bitmap().png().unwrap();
        let at = png.windows(4).position(|kind| kind == b"IDAT").unwrap();
        let mut rows = Vec::new();
        ZlibDecoder::new(&png[at + 4..]).read_to_end(&mut rows).unwrap();
        assert_eq!(rows[..8], [0, 0x30, 0x06, 0x00, 0, 0xf3, 0x0f, 0x60]);
        // As any PNG ends.
        assert_eq!(png[png.len() - 8..], [b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]);
    }

    #[test]
    fn base64_is_padded() {
        let examples: [(&[u8], &str); 5] =
            [(b"", ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob\xff", "Zm9vYv8=")];
        for (bytes, text) in examples {
            assert_eq!(base64(bytes), text);
        }
    }
}
