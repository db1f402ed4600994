//! Points of the plane by class: a square a panel, the same colours in all, one legend.

use anyhow::{Result, ensure};
use plotters::{
    chart::ChartBuilder,
    element::{Circle, Rectangle, Text},
    prelude::DrawingBackend,
    style::{
        Color, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{BLUE, Figure, GREEN, Generated, INK, MUTED, ORANGE, Sheet, as_length, panels_a_row};
use crate::cell::ClassPoints;

const PANEL: i32 = 290;
const MARGIN: i32 = 14;
const TITLE: i32 = 46;
const LEGEND_LINE: i32 = 24;
const LEGEND_ENTRY: i32 = 224;

/// One a class. The page's style sheet has each of them again, lighter, for the dark.
const COLOURS: [RGBColor; 8] = [
    RGBColor(142, 68, 173), // purple
    RGBColor(23, 162, 184), // cyan
    GREEN,
    RGBColor(31, 35, 41), // nearly ink, which is for text
    ORANGE,
    BLUE,
    RGBColor(219, 68, 160), // pink
    RGBColor(140, 45, 25),  // brown
];

pub(super) fn size(figure: &Figure) -> (i32, i32) {
    let a_row = panels_a_row(figure.panels.len()).max(1);
    (width(figure), legend_height(figure) + as_length(figure.panels.len().div_ceil(a_row)) * (TITLE + PANEL) + MARGIN)
}

fn width(figure: &Figure) -> i32 {
    MARGIN + as_length(panels_a_row(figure.panels.len()).max(1)) * (PANEL + MARGIN)
}

/// Names of classes in a line of the legend.
fn legend_a_row(figure: &Figure) -> usize {
    usize::try_from((width(figure) - MARGIN) / LEGEND_ENTRY).unwrap_or(0).max(1)
}

pub(super) fn draw<DB: DrawingBackend>(figure: &Figure, sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let samples: Option<Vec<&[ClassPoints]>> = figure.panels.iter().map(|panel| classes(panel.generated)).collect();
    let samples = samples.ok_or_else(|| figure.mixed())?;
    let names: Vec<&str> = samples.iter().copied().max_by_key(|sample| sample.len()).map_or(vec![], names_of);
    let (n, most) = (names.len(), COLOURS.len());
    ensure!(n <= most, "{} shows {n} classes; there are colours for {most}", figure.name);
    // A cell of another seed than the shown one keeps no points and names no class.
    let same = samples.iter().all(|sample| sample.is_empty() || names_of(sample) == names);
    ensure!(same, "the panels of {} have other classes, or another order of them", figure.name);

    legend(&names, legend_a_row(figure), sheet)?;
    let a_row = panels_a_row(figure.panels.len());
    for (index, (panel, sample)) in figure.panels.iter().zip(samples).enumerate() {
        let left = MARGIN + as_length(index % a_row) * (PANEL + MARGIN);
        let top = legend_height(figure) + as_length(index / a_row) * (TITLE + PANEL);
        for (text, size, colour, y) in
            [(panel.title.clone(), 17, INK, top + 12), (panel.remarks.join(", "), 13, MUTED, top + 33)]
        {
            let style = sheet.text(size, colour).pos(Pos::new(HPos::Left, VPos::Center));
            sheet.area.draw(&Text::new(text, (left * sheet.scale, y * sheet.scale), style))?;
        }
        square(sample, (left, top + TITLE), sheet)?;
    }
    Ok(())
}

/// Both coordinates have one scale; where they begin says nothing, so there are no ticks.
fn square<DB: DrawingBackend>(sample: &[ClassPoints], corner: (i32, i32), sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let points = || sample.iter().flat_map(|class| &class.points);
    let ends = [0, 1].map(|axis| {
        let low = points().map(|point| point[axis]).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point[axis]).fold(f64::NEG_INFINITY, f64::max);
        if low <= high { [low, high] } else { [0.0, 0.0] }
    });
    let reach = 0.53 * ends.iter().map(|[low, high]| high - low).fold(1e-3, f64::max);
    let [x, y] = ends.map(|[low, high]| (low + high) / 2.0 - reach..(low + high) / 2.0 + reach);

    let area = sheet.part(corner, (PANEL, PANEL));
    let end = PANEL * sheet.scale - 1;
    area.draw(&Rectangle::new([(0, 0), (end, end)], MUTED.stroke_width(sheet.stroke(10))))?;
    let mut chart = ChartBuilder::on(&area).build_cartesian_2d(x, y)?;
    // Large classes first, so that they do not hide small ones.
    let mut order: Vec<(usize, &ClassPoints)> = sample.iter().enumerate().collect();
    order.sort_by_key(|(_, class)| std::cmp::Reverse(class.points.len()));
    for (class, ClassPoints { points, .. }) in order {
        let style = COLOURS[class].mix(0.8).filled();
        let radius = 19 * sheet.scale / 10;
        chart.draw_series(points.iter().map(|[x, y]| Circle::new((*x, *y), radius, style)))?;
    }
    Ok(())
}

fn classes(generated: &Generated) -> Option<&[ClassPoints]> {
    match generated {
        Generated::Classes(classes) => Some(classes),
        Generated::Histogram { .. } | Generated::Points(_) | Generated::Rows(_) => None,
    }
}

fn names_of(sample: &[ClassPoints]) -> Vec<&str> {
    sample.iter().map(|class| class.name.as_str()).collect()
}

fn legend_height(figure: &Figure) -> i32 {
    let n = figure.panels.iter().filter_map(|panel| classes(panel.generated)).map(<[_]>::len).max().unwrap_or(0);
    MARGIN + as_length(n.div_ceil(legend_a_row(figure))) * LEGEND_LINE
}

fn legend<DB: DrawingBackend>(names: &[&str], a_row: usize, sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let label = sheet.text(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (class, name) in names.iter().enumerate() {
        let x = (MARGIN + 7 + as_length(class % a_row) * LEGEND_ENTRY) * unit;
        let y = (MARGIN + 4 + as_length(class / a_row) * LEGEND_LINE) * unit;
        sheet.area.draw(&Circle::new((x, y), 5 * unit, COLOURS[class].filled()))?;
        // As in the data, but for the underscore.
        sheet.area.draw(&Text::new(name.replace('_', " and "), (x + 13 * unit, y + unit), label.clone()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake::Fake;

    #[test]
    fn panels_of_other_classes_are_refused() {
        let mut fake = Fake::of("table6");
        let method = fake.reported.figures[0].panels[1].clone();
        let cell = fake.cells.iter_mut().find(|cell| cell.method == method).unwrap();
        if let Generated::Classes(classes) = &mut cell.outcome.generated {
            classes.reverse();
        }
        let message = Figure::all(&fake.input()).unwrap()[0].svg().unwrap_err().to_string();
        assert!(message.contains("other classes"), "{message}");
    }

    #[test]
    fn a_class_has_its_colour_in_every_panel_and_the_legend() {
        let fake = Fake::of("table6");
        let input = fake.input();
        let figure = &Figure::all(&input).unwrap()[0];
        let svg = figure.svg().unwrap();
        let panels = figure.panels.len();
        // The last class: its group of points a panel, and its circle in the legend.
        assert_eq!(svg.matches("fill=\"#DB44A0\"").count(), panels + 1);
    }

    #[test]
    fn the_legend_keeps_to_the_width_of_the_panels() {
        let fake = Fake::of("table6");
        let input = fake.input();
        for panels in 1..=6 {
            let mut figure = Figure::all(&input).unwrap().swap_remove(0);
            figure.panels.truncate(panels);
            assert!(as_length(legend_a_row(&figure)) * LEGEND_ENTRY + MARGIN <= width(&figure), "{panels}");
        }
    }

    #[test]
    fn a_sample_without_points_is_an_empty_square() {
        let mut fake = Fake::of("table6");
        for cell in &mut fake.cells {
            cell.outcome.generated = Generated::Classes(Vec::new());
        }
        Figure::all(&fake.input()).unwrap()[0].svg().unwrap();
    }
}
