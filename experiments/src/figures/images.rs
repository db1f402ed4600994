//! Images: a grid of generated ones a panel, or a row of reconstructions a method below the originals.

use anyhow::{Result, ensure};
use plotters::{
    element::Text,
    prelude::DrawingBackend,
    style::{
        RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{Figure, Generated, INK, MUTED, Panel, Sheet, as_length, bitmap::Bitmap, panels_a_row};
use crate::cell::Images;

const MARGIN: i32 = 14;
const GUTTER: i32 = 34;
const TITLE: i32 = 46;
const LABELS: i32 = 172;

/// Pixels between two images.
const GAP: usize = 2;
/// Images in a row of a grid.
const ACROSS: usize = 10;
/// Reconstructions in a row.
const MOST_RECONSTRUCTED: usize = 20;

/// What a figure shows: texts with their size and colour, and pixels.
pub(super) struct Content {
    size: (i32, i32),
    texts: Vec<(String, i32, RGBColor, (i32, i32))>,
    pub(super) bitmaps: Vec<Bitmap>,
}

pub(super) fn draw<DB: DrawingBackend>(content: &Content, sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    for (text, size, colour, (x, y)) in &content.texts {
        let style = sheet.text(*size, *colour).pos(Pos::new(HPos::Left, VPos::Center));
        sheet.area.draw(&Text::new(text.clone(), (x * sheet.scale, y * sheet.scale), style))?;
    }
    if sheet.paints_bitmaps { content.bitmaps.iter().try_for_each(|bitmap| bitmap.paint(sheet)) } else { Ok(()) }
}

impl Content {
    pub(super) fn size(&self) -> (i32, i32) {
        self.size
    }

    /// A grid a panel.
    pub(super) fn generated(figure: &Figure) -> Result<Self> {
        let mut content = Self { size: (0, 0), texts: Vec::new(), bitmaps: Vec::new() };
        let (mut left, mut top, mut bottom) = (MARGIN, MARGIN / 2, 0);
        let a_row = panels_a_row(figure.panels.len()).max(1);
        for (index, panel) in figure.panels.iter().enumerate() {
            if index > 0 && index % a_row == 0 {
                (left, top) = (MARGIN, bottom + MARGIN / 2);
            }
            let images = images(figure, panel)?;
            let grid = Bitmap::of(images.generated(), images.size(), ACROSS, GAP, (left, top + TITLE));
            content.texts.push((panel.title.clone(), 17, INK, (left, top + 14)));
            content.texts.extend(panel.remarks.first().map(|remark| (remark.clone(), 13, MUTED, (left, top + 35))));
            bottom = bottom.max(top + TITLE + grid.size().1 + MARGIN);
            left += grid.size().0 + GUTTER;
            content.size = (content.size.0.max(left - GUTTER + MARGIN), bottom);
            content.bitmaps.push(grid);
        }
        Ok(content)
    }

    /// The originals, and below them what each method makes of them.
    pub(super) fn reconstructions(figure: &Figure) -> Result<Self> {
        let mut content = Self { size: (0, 0), texts: Vec::new(), bitmaps: Vec::new() };
        let of_panels: Vec<&Images> = figure.panels.iter().map(|panel| images(figure, panel)).collect::<Result<_>>()?;
        let Some(first) = of_panels.first() else { return Ok(content) };
        let same = of_panels.iter().all(|images| images.originals() == first.originals());
        ensure!(same, "the panels of {} reconstruct other images", figure.name);

        let rows = figure.panels.iter().zip(&of_panels).map(|(panel, images)| {
            (panel.title.as_str(), panel.remarks.first().map(String::as_str), images.reconstructions())
        });
        let originals = ("Test images", None, first.originals());
        let mut top = MARGIN;
        for (title, remark, images) in std::iter::once(originals).chain(rows) {
            let shown = &images[..images.len().min(MOST_RECONSTRUCTED)];
            let row = Bitmap::of(shown, first.size(), MOST_RECONSTRUCTED, GAP, (MARGIN + LABELS, top));
            let (width, height) = row.size();
            let middle = top + height / 2;
            content.texts.push((title.to_owned(), 14, INK, (MARGIN, middle - if remark.is_some() { 8 } else { 0 })));
            content.texts.extend(remark.map(|remark| (remark.to_owned(), 11, MUTED, (MARGIN, middle + 9))));
            content.bitmaps.push(row);
            top += height + as_length(3 * GAP);
            content.size = (content.size.0.max(MARGIN + LABELS + width + MARGIN), top - as_length(3 * GAP) + MARGIN);
        }
        Ok(content)
    }
}

fn images<'a>(figure: &Figure, panel: &Panel<'a>) -> Result<&'a Images> {
    match panel.generated {
        Generated::Images(images) => Ok(images),
        _ => Err(figure.mixed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake::Fake;

    #[test]
    fn every_method_has_a_grid_and_a_row() {
        let fake = Fake::of("table5");
        let input = fake.input();
        let figures = Figure::all(&input).unwrap();
        let methods = figures[0].panels.len();
        assert!(methods > 1);
        assert_eq!(figures[0].svg().unwrap().matches("<image ").count(), methods);
        assert_eq!(figures[1].svg().unwrap().matches("<image ").count(), methods + 1);
    }

    #[test]
    fn rows_of_other_originals_are_refused() {
        let mut fake = Fake::of("table5");
        let method = fake.reported.figures[1].panels.iter().find(|m| fake.cells.iter().any(|c| c.method == **m));
        let method = method.unwrap().clone();
        let cell = fake.cells.iter_mut().find(|cell| cell.method == method).unwrap();
        if let Generated::Images(images) = &cell.outcome.generated {
            let other = images.reconstructions().to_vec();
            let images = Images::new(images.size(), Vec::new(), other.clone(), other).unwrap();
            cell.outcome.generated = Generated::Images(images);
        }
        let message = Figure::all(&fake.input()).err().unwrap().to_string();
        assert!(message.contains("reconstruct other images"), "{message}");
    }

    #[test]
    fn a_seed_that_keeps_no_images_has_no_panel() {
        let mut fake = Fake::of("table5");
        fake.cells.retain(|cell| cell.seed != 0);
        for cell in &mut fake.cells {
            let none = Images::new([28, 28], Vec::new(), Vec::new(), Vec::new()).unwrap();
            cell.outcome.generated = Generated::Images(none);
        }
        assert!(Figure::all(&fake.input()).unwrap().is_empty());
    }
}
