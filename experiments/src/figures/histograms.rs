//! Histograms as translucent densities: the truth in orange, the generated sample in green.

use std::ops::Range;

use anyhow::Result;
use plotters::{
    chart::ChartBuilder,
    element::{EmptyElement, PathElement, Polygon, Rectangle, Text},
    prelude::DrawingBackend,
    style::{
        Color, FontTransform, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{Figure, GREEN, Generated, INK, MUTED, ORANGE, Panel, Sheet, as_length, panels_a_row, tick};

// Units of length of the layout.
const PANEL: (i32, i32) = (270, 230);
const GUTTER: i32 = 58;
const LEGEND: i32 = 34;
const MARGIN: i32 = 12;
const AXIS_NAME: i32 = 16;
const TITLE: i32 = 26;
const X_LABELS: i32 = 26;

/// A histogram as a density: the outline's corners, and the share of the sample beyond its ends.
pub(super) struct Density {
    range: Range<f64>,
    pub(super) outline: Vec<(f64, f64)>,
    beyond: f64,
}

/// What all panels share.
struct Axes {
    low: f64,
    high: f64,
    top: f64,
}

pub(super) fn size(n_panels: usize) -> (i32, i32) {
    let across = panels_a_row(n_panels);
    let (across, down) = (as_length(across), as_length(n_panels.div_ceil(across.max(1))));
    (GUTTER + across * PANEL.0 + MARGIN, LEGEND + down * PANEL.1 + MARGIN)
}

pub(super) fn draw<DB: DrawingBackend>(figure: &Figure, truth: &Generated, sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let truth = density(truth).ok_or_else(|| figure.mixed())?;
    let generated: Option<Vec<Density>> = figure.panels.iter().map(|panel| density(panel.generated)).collect();
    let generated = generated.ok_or_else(|| figure.mixed())?;
    let axes = Axes::of(&truth, &generated);

    legend(sheet)?;
    let across = panels_a_row(figure.panels.len());
    for (index, (panel, density)) in figure.panels.iter().zip(&generated).enumerate() {
        let place = (index % across, index / across);
        draw_panel(sheet, place, panel, figure.axis, &axes, [&truth, density])?;
    }
    Ok(())
}

fn density(generated: &Generated) -> Option<Density> {
    let Generated::Histogram { low, high, below, above, counts } = generated else { return None };
    Some(Density::new(*low..*high, counts, below + above))
}

impl Density {
    /// Of counts in equal bins of `range`, and of what lies beyond them.
    pub(super) fn new(range: Range<f64>, counts: &[u64], beyond: u64) -> Self {
        let (low, high) = (range.start, range.end);
        let total = (beyond + counts.iter().sum::<u64>()).max(1) as f64;
        let width = (high - low) / counts.len().max(1) as f64;

        let mut outline = vec![(low, 0.0)];
        for (bin, &count) in counts.iter().enumerate() {
            let height = count as f64 / (total * width);
            outline.push((low + width * bin as f64, height));
            outline.push((low + width * (bin + 1) as f64, height));
        }
        outline.push((high, 0.0));
        Self { range, outline, beyond: beyond as f64 / total }
    }

    /// The highest bin's, never zero.
    pub(super) fn top(&self) -> f64 {
        self.outline.iter().map(|corner| corner.1).fold(1e-6, f64::max)
    }

    /// The outline from the first to the last bin that holds anything: along the axis it would hide the axis.
    pub(super) fn path(&self, colour: RGBColor, width: u32) -> Option<PathElement<(f64, f64)>> {
        let corners = &self.outline;
        let first = corners.iter().position(|corner| corner.1 > 0.0)?;
        let last = corners.iter().rposition(|corner| corner.1 > 0.0)?;
        let mut path = vec![(corners[first].0, 0.0)];
        path.extend(&corners[first..=last]);
        path.push((corners[last].0, 0.0));
        Some(PathElement::new(path, colour.stroke_width(width)))
    }
}

impl Axes {
    fn of(truth: &Density, generated: &[Density]) -> Self {
        let all = || [truth].into_iter().chain(generated);
        Self {
            low: all().map(|density| density.range.start).fold(f64::INFINITY, f64::min),
            high: all().map(|density| density.range.end).fold(f64::NEG_INFINITY, f64::max),
            top: all().map(Density::top).fold(0.0, f64::max) * 1.12,
        }
    }
}

fn legend<DB: DrawingBackend>(sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let label = sheet.text(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (x, colour, text) in [(GUTTER, ORANGE, "true signal"), (GUTTER + 120, GREEN, "generated")] {
        let (left, top) = (x * unit, 9 * unit);
        let swatch = [(left, top), (left + 16 * unit, top + 12 * unit)];
        sheet.area.draw(&Rectangle::new(swatch, colour.mix(0.45).filled()))?;
        let (right, bottom) = swatch[1];
        let border = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        sheet.area.draw(&PathElement::new(border, colour.stroke_width(sheet.stroke(11))))?;
        sheet.area.draw(&Text::new(text, (left + 23 * unit, top + 7 * unit), label.clone()))?;
    }
    Ok(())
}

fn draw_panel<DB: DrawingBackend>(
    sheet: &Sheet<DB>,
    (column, row): (usize, usize),
    panel: &Panel,
    axis: &str,
    axes: &Axes,
    [truth, generated]: [&Density; 2],
) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let left = GUTTER + as_length(column) * PANEL.0;
    let top = LEGEND + as_length(row) * PANEL.1;
    let title = sheet.text(18, INK).pos(Pos::new(HPos::Left, VPos::Center));
    sheet.area.draw(&Text::new(panel.title.clone(), (left * unit, (top + TITLE / 2) * unit), title))?;

    // The first panel of a row carries the labels of the vertical axis in the gutter.
    let gutter = if column == 0 { GUTTER } else { 0 };
    let area = sheet.part((left - gutter, top + TITLE), (PANEL.0 + gutter - MARGIN, PANEL.1 - TITLE - AXIS_NAME));
    let mut chart = ChartBuilder::on(&area)
        .x_label_area_size(X_LABELS * unit)
        .y_label_area_size(gutter * unit)
        .build_cartesian_2d(axes.low..axes.high, 0.0..axes.top)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(MUTED.stroke_width(sheet.stroke(10)))
        .label_style(sheet.text(14, MUTED))
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .set_all_tick_mark_size(3 * unit)
        .draw()?;

    // Plotters would put the names of the axes where they are cut off or float far below.
    let name = sheet.text(14, MUTED).pos(Pos::new(HPos::Center, VPos::Center));
    let bottom = top + PANEL.1 - AXIS_NAME;
    let middle = left + (PANEL.0 - MARGIN) / 2;
    let beyond = format!("{:.2} % beyond", 100.0 * generated.beyond);
    let axis = if generated.beyond > 0.0 { format!("{axis} ({beyond})") } else { axis.to_owned() };
    sheet.area.draw(&Text::new(axis, (middle * unit, bottom * unit), name.clone()))?;
    if column == 0 {
        let middle = top + TITLE + (PANEL.1 - TITLE - X_LABELS - AXIS_NAME) / 2;
        let upward = name.transform(FontTransform::Rotate270);
        sheet.area.draw(&Text::new("density", (12 * unit, middle * unit), upward))?;
    }

    for (density, colour) in [(truth, ORANGE), (generated, GREEN)] {
        chart.draw_series([Polygon::new(density.outline.clone(), colour.mix(0.4).filled())])?;
        chart.draw_series(density.path(colour, sheet.stroke(11)))?;
    }

    for (line, text) in (0..).zip(&panel.remarks) {
        let style = sheet.text(15, INK).pos(Pos::new(HPos::Right, VPos::Top));
        let at = EmptyElement::at((axes.high, axes.top));
        chart.draw_series([at + Text::new(text.clone(), (-4 * unit, 19 * line * unit), style)])?;
    }
    Ok(())
}
