//! Figures of one panel a method, what it generated over the true signal or images, or of all pairs of one method's
//! coordinates.
//! SVG for pages, PNG for everything else.

use std::{path::Path, sync::Once};

use anyhow::{Result, anyhow, bail};
use plotters::{
    backend::{BitMapBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    prelude::DrawingBackend,
    style::{FontStyle, IntoFont, RGBColor, TextStyle, register_font},
};

use crate::{
    cell::{Generated, Rows},
    report::{ReportInput, outcomes, write_atomically, write_atomically_with},
    reported::{FigureSpec, Shows},
};

mod bitmap;
mod classes;
mod histograms;
mod images;
mod pairs;
mod points;
mod svg;

use bitmap::Bitmap;
use images::Content;

// The page's style sheet finds elements by these colours, to change them in the dark.
const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(31, 35, 40);
const MUTED: RGBColor = RGBColor(101, 109, 118);
const ORANGE: RGBColor = RGBColor(232, 119, 34);
const GREEN: RGBColor = RGBColor(26, 152, 101);
const BLUE: RGBColor = RGBColor(43, 108, 212);

/// Plotters takes whole coordinates only, so an SVG is drawn larger and scaled down by its `viewBox`.
const SVG_SCALE: i32 = 10;
const PNG_SCALE: i32 = 2;

/// A panel for each method, or one method alone.
#[derive(Debug)]
pub struct Figure<'a> {
    /// File name without extension.
    pub name: &'a str,
    /// What it shows.
    pub caption: &'a str,
    /// The same, with its panels, for those who cannot see it.
    description: String,
    axis: &'a str,
    layout: Layout<'a>,
    panels: Vec<Panel<'a>>,
}

/// How panels are drawn, and what they are held against.
#[derive(Clone, Copy, Debug)]
enum Layout<'a> {
    /// All over the truth, with common axes.
    Histograms(&'a Generated),
    /// All with the training data, with common axes.
    Points(&'a [[f64; 2]]),
    /// One method's rows, against nothing.
    Pairs(&'a Rows),
    /// All by class, each with axes of its own.
    Classes,
    /// All in grids, without axes.
    Images,
    /// All in rows below the images that are reconstructed.
    Reconstructions,
}

#[derive(Debug)]
struct Panel<'a> {
    title: String,
    /// Metrics of the sample shown, one a line.
    remarks: Vec<String>,
    generated: &'a Generated,
}

/// Where a sheet is drawn: a surface, and the pixels of one unit of length.
struct Sheet<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
    scale: i32,
    /// Whether pixels are drawn; an SVG has elements for them.
    paints_bitmaps: bool,
}

/// Writes the figure of one sample's coordinates and their pairs as SVG and PNG into a folder.
///
/// # Errors
/// If the sample holds no rows, or a file cannot be written.
pub fn save_pairs(folder: &Path, name: &str, title: &str, remarks: Vec<String>, generated: &Generated) -> Result<()> {
    let Generated::Rows(rows) = generated else { bail!("{name} is drawn from rows only") };
    let panels = vec![Panel { title: title.to_owned(), remarks, generated }];
    let description = format!("{title}. Pairs of {}.", rows.names().join(", "));
    let figure = Figure { name, caption: title, description, axis: "", layout: Layout::Pairs(rows), panels };
    write_atomically(&folder.join(format!("{name}.svg")), figure.svg()?.as_bytes())?;
    write_atomically_with(&folder.join(format!("{name}.png")), |path| figure.save_png(path))
}

impl<'a> Figure<'a> {
    /// The figures of a table, showing the lowest seed of every method that has cells; those without a method are left out.
    ///
    /// # Errors
    /// If a figure has samples that cannot be drawn together, or no reference to hold them against.
    pub fn all(input: &ReportInput<'a>) -> Result<Vec<Self>> {
        input.reported.figures.iter().filter_map(|spec| Self::new(input, spec).transpose()).collect()
    }

    fn new(input: &ReportInput<'a>, spec: &'a FigureSpec) -> Result<Option<Self>> {
        let panels: Vec<Panel> = spec.panels.iter().filter_map(|method| panel(input, method)).collect();
        let layout = match (panels.as_slice(), input.reference) {
            ([], _) => return Ok(None),
            ([Panel { generated: Generated::Rows(rows), .. }], _) => Layout::Pairs(rows),
            ([Panel { generated: Generated::Classes(_), .. }, ..], _) => Layout::Classes,
            ([Panel { generated: Generated::Images(_), .. }, ..], _) => match spec.shows {
                Shows::Generated => Layout::Images,
                Shows::Reconstructions => Layout::Reconstructions,
            },
            (_, Some(truth @ Generated::Histogram { .. })) => Layout::Histograms(truth),
            (_, Some(Generated::Points(truth))) => Layout::Points(truth),
            (_, None | Some(Generated::Rows(_) | Generated::Classes(_) | Generated::Images(_))) => bail!(
                "{} cannot be drawn: rows need a figure for each method, other samples a reference of their kind",
                spec.name
            ),
        };
        let titles: Vec<String> =
            panels.iter().map(|panel| format!("{} ({})", panel.title, panel.remarks.join(", "))).collect();
        let mut description = format!("{} Panels: {}.", spec.caption, titles.join("; "));
        if let Layout::Pairs(rows) = layout {
            description += &format!(" Pairs of {}.", rows.names().join(", "));
        }
        let axis = spec.axis.as_deref().unwrap_or_default();
        let figure = Self { name: &spec.name, caption: &spec.caption, description, axis, layout, panels };
        figure.images()?;
        Ok(Some(figure))
    }

    /// Whether it shows one method alone, and not a panel for each.
    pub fn is_of_pairs(&self) -> bool {
        matches!(self.layout, Layout::Pairs(_))
    }

    /// A whole SVG document.
    ///
    /// # Errors
    /// If a sample is not of the reference's kind.
    pub fn svg(&self) -> Result<String> {
        let (width, height) = self.size();
        let mut drawn = String::new();
        let size = ((width * SVG_SCALE).cast_unsigned(), (height * SVG_SCALE).cast_unsigned());
        self.draw(SVGBackend::with_string(&mut drawn, size), SVG_SCALE, false)?;

        let (_, content) = drawn.split_once('>').ok_or_else(|| anyhow!("the SVG of {} has no content", self.name))?;
        let content = if matches!(self.layout, Layout::Pairs(_) | Layout::Classes) {
            svg::grouped(content)
        } else {
            content.to_owned()
        };
        let bitmaps =
            self.images()?.map(|images| images.bitmaps.iter().map(Bitmap::element).collect::<Result<String>>());
        let content = match bitmaps {
            Some(bitmaps) => content.replace("</svg>", &(bitmaps? + "</svg>")),
            None => content,
        };
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
             role=\"img\" aria-label=\"{}\">{content}",
            size.0,
            size.1,
            svg::escaped(&self.description)
        ))
    }

    /// Writes the figure as PNG, at two pixels a unit of the SVG; `path` must end in `.png`.
    ///
    /// # Errors
    /// If a sample is not of the reference's kind, or the file cannot be written.
    pub fn save_png(&self, path: &Path) -> Result<()> {
        let (width, height) = self.size();
        let size = ((width * PNG_SCALE).cast_unsigned(), (height * PNG_SCALE).cast_unsigned());
        self.draw(BitMapBackend::new(path, size), PNG_SCALE, true)
    }

    fn draw<DB: DrawingBackend>(&self, backend: DB, scale: i32, paints_bitmaps: bool) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        register_fonts();
        let area = backend.into_drawing_area();
        area.fill(&PAPER)?;
        let sheet = Sheet { area, scale, paints_bitmaps };
        match self.layout {
            Layout::Histograms(truth) => histograms::draw(self, truth, &sheet)?,
            Layout::Points(truth) => points::draw(self, truth, &sheet)?,
            Layout::Pairs(rows) => pairs::draw(&self.panels[0], rows, &sheet)?,
            Layout::Classes => classes::draw(self, &sheet)?,
            Layout::Images | Layout::Reconstructions => {
                self.images()?.iter().try_for_each(|images| images::draw(images, &sheet))?;
            }
        }
        sheet.area.present()?;
        Ok(())
    }

    fn size(&self) -> (i32, i32) {
        match self.layout {
            Layout::Histograms(_) => histograms::size(self.panels.len()),
            Layout::Points(_) => points::size(self.panels.len()),
            Layout::Pairs(rows) => pairs::size(&self.panels[0], rows),
            Layout::Classes => classes::size(self),
            // What is wrong with images is told before anything is drawn.
            Layout::Images | Layout::Reconstructions => self.images().ok().flatten().map_or((1, 1), |c| c.size()),
        }
    }

    /// The images it shows, where it shows images.
    fn images(&self) -> Result<Option<Content>> {
        match self.layout {
            Layout::Images => Content::generated(self).map(Some),
            Layout::Reconstructions => Content::reconstructions(self).map(Some),
            Layout::Histograms(_) | Layout::Points(_) | Layout::Pairs(_) | Layout::Classes => Ok(None),
        }
    }

    fn mixed(&self) -> anyhow::Error {
        anyhow!(
            "{} mixes histograms, points, rows, classes or images; its cells and its reference must be of one kind",
            self.name
        )
    }
}

impl<DB: DrawingBackend> Sheet<DB> {
    /// The part of the sheet with this corner and size, in units.
    fn part(&self, corner: (i32, i32), size: (i32, i32)) -> DrawingArea<DB, Shift> {
        let scaled = |(x, y): (i32, i32)| (x * self.scale, y * self.scale);
        self.area.clone().shrink(scaled(corner), scaled(size))
    }

    fn text(&self, size: i32, colour: RGBColor) -> TextStyle<'static> {
        ("sans-serif", size * self.scale).into_font().color(&colour)
    }

    /// The width of a line, in pixels.
    fn stroke(&self, tenths: i32) -> u32 {
        (tenths * self.scale / 10).max(1).cast_unsigned()
    }
}

fn panel<'a>(input: &ReportInput<'a>, method: &str) -> Option<Panel<'a>> {
    let (_, outcome) = *outcomes(input.cells, method).first()?;
    if matches!(&outcome.generated, Generated::Images(images) if images.is_empty()) {
        return None;
    }
    let column = input.reported.column(method)?;
    let remarks = input.reported.metrics.iter().filter_map(|metric| {
        let value = outcome.metrics.get(&metric.name)?;
        Some(format!("{} {}", metric.label, minus(&metric.format(*value))))
    });
    Some(Panel { title: column.label.clone(), remarks: remarks.collect(), generated: &outcome.generated })
}

/// Panels in a row: all up to four, else rows of three or four, whichever leaves fewer places empty.
fn panels_a_row(n_panels: usize) -> usize {
    match n_panels {
        0..=4 => n_panels,
        n if n.next_multiple_of(3) < n.next_multiple_of(4) => 3,
        _ => 4,
    }
}

/// A hyphen is not a minus sign.
fn minus(number: &str) -> String {
    number.replace('-', "−")
}

fn as_length(count: usize) -> i32 {
    i32::try_from(count).expect("a figure has few panels, and texts of a line")
}

/// A tick label without digits that say nothing.
fn tick(value: f64) -> String {
    tick_to(value, 2)
}

/// The same with at most so many digits after the point, and at least one.
fn tick_to(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { minus(text) }
}

/// Text is measured and, for PNG, drawn with an embedded font, so that figures do not depend on the machine's.
fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../assets/DejaVuSans-subset.ttf");
        let registered = register_font("sans-serif", FontStyle::Normal, font);
        assert!(registered.is_ok(), "the embedded font can be read");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake::Fake;

    #[test]
    fn panels_stand_in_the_order_of_the_file_without_those_that_did_not_run() {
        let mut fake = Fake::of("table2");
        fake.reported.figures[0].panels = ["aais", "almond", "vae"].map(String::from).to_vec();
        let input = fake.input();
        let figure = &Figure::all(&input).unwrap()[0];
        assert_eq!(figure.panels.iter().map(|panel| panel.title.as_str()).collect::<Vec<_>>(), ["AAIS", "VAE"]);
        assert_eq!(figure.panels[1].remarks[0], "KS 0.100");
    }

    #[test]
    fn a_png_is_twice_as_large_as_its_svg() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("figure.png");
        let fake = Fake::of("table2");
        let input = fake.input();
        let figure = &Figure::all(&input).unwrap()[0];
        figure.save_png(&path).unwrap();

        let png = std::fs::read(&path).unwrap();
        let number = |at: usize| i32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        let (width, height) = figure.size();
        assert_eq!((number(16), number(20)), (2 * width, 2 * height));
        assert!(figure.svg().unwrap().contains(&format!("width=\"{width}\" height=\"{height}\"")));
    }

    #[test]
    fn a_sample_of_another_kind_is_refused() {
        let mut fake = Fake::of("table2");
        fake.cells[0].outcome.generated = Generated::Points(vec![[0.0, 1.0]]);
        let input = fake.input();
        let message = Figure::all(&input).unwrap()[0].svg().unwrap_err().to_string();
        assert!(message.contains("mixes histograms, points, rows, classes or images"), "{message}");
    }

    #[test]
    fn an_empty_sample_is_drawn() {
        for (table, empty) in [
            ("table2", Generated::Histogram { low: 0.0, high: 1.0, below: 0, above: 0, counts: vec![] }),
            ("figure1", Generated::Points(vec![])),
        ] {
            let mut fake = Fake::of(table);
            for cell in &mut fake.cells {
                cell.outcome.generated = empty.clone();
            }
            let input = fake.input();
            Figure::all(&input).unwrap()[0].svg().unwrap();
        }
    }

    #[test]
    fn rows_need_a_figure_each_and_other_samples_a_reference() {
        let mut fake = Fake::of_rows();
        fake.reported.figures.truncate(1);
        fake.reported.figures[0].panels = vec!["glmm".into(), "aais".into()];
        let refusal = |fake: &Fake| Figure::all(&fake.input()).unwrap_err().to_string();
        assert!(refusal(&fake).contains("rows need a figure for each method"));

        fake.reported.figures[0].panels.pop();
        assert!(Figure::all(&fake.input()).unwrap()[0].is_of_pairs());
        fake.cells[0].outcome.generated = Generated::Points(vec![[0.0, 1.0]]);
        assert!(refusal(&fake).contains("other samples a reference"));
    }

    #[test]
    fn many_panels_fill_rows() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 9].map(panels_a_row), [1, 2, 3, 4, 3, 3, 4, 4, 3]);
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.0, -0.0, -2.0, 0.25, 10.0, -1.5].map(tick), ["0", "0", "−2", "0.25", "10", "−1.5"]);
    }
}
