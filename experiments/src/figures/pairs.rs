//! One sample in a few dimensions: the density of each coordinate on the diagonal, a scatter plot of each pair elsewhere.

use std::ops::Range;

use anyhow::Result;
use plotters::{
    chart::ChartBuilder,
    element::{Circle, PathElement, Polygon, Text},
    prelude::DrawingBackend,
    style::{
        Color, FontTransform,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{GREEN, INK, MUTED, Panel, Rows, Sheet, as_length, histograms::Density};
use ticks::ticks;

mod ticks;

// Units of length of the layout.
const PANEL: i32 = 142;
const GAP: i32 = 10;
const GUTTER: i32 = 66;
const MARGIN: i32 = 12;
const TITLE: i32 = 28;
const REMARK_LINE: i32 = 20;
const X_LABELS: i32 = 24;
const NAME: i32 = 22;

const TICK: i32 = 3;

// Sizes of letters.
const REMARK_SIZE: i32 = 15;
const NAME_SIZE: i32 = 14;
const TICK_SIZE: i32 = 13;

/// More marks than this in all panels together make a file of more than 300 kilobytes.
const MOST_MARKS: usize = 6_400;

const BINS: u32 = 24;

/// A coordinate: what its column and its row share.
struct Axis<'a> {
    name: &'a str,
    values: Vec<f64>,
    range: Range<f64>,
    /// With their labels.
    ticks: Vec<(f64, String)>,
}

/// Where the panels lie.
#[derive(Clone, Copy)]
struct Grid {
    top: i32,
    n: usize,
}

pub(super) fn size(panel: &Panel, rows: &Rows) -> (i32, i32) {
    let grid = Grid::of(panel, rows);
    (GUTTER + grid.side() + MARGIN, grid.top + grid.side() + X_LABELS + NAME)
}

pub(super) fn draw<DB: DrawingBackend>(panel: &Panel, rows: &Rows, sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let (unit, grid) = (sheet.scale, Grid::of(panel, rows));
    let at_left = Pos::new(HPos::Left, VPos::Center);
    let title = Text::new(panel.title.clone(), (GUTTER * unit, TITLE / 2 * unit), sheet.text(18, INK).pos(at_left));
    sheet.area.draw(&title)?;
    for (line, text) in (0..).zip(remark_lines(panel, grid)) {
        let middle = TITLE + line * REMARK_LINE + REMARK_LINE / 2;
        let style = sheet.text(REMARK_SIZE, INK).pos(at_left);
        sheet.area.draw(&Text::new(text, (GUTTER * unit, middle * unit), style))?;
    }

    let axes: Vec<Axis> = (0..grid.n).map(|coordinate| Axis::of(rows, coordinate)).collect();
    for (index, axis) in axes.iter().enumerate() {
        draw_names(sheet, grid, index, axis.name)?;
    }
    for (row, vertical) in axes.iter().enumerate() {
        for (column, horizontal) in axes.iter().enumerate() {
            draw_panel(sheet, grid, (column, row), [horizontal, vertical])?;
        }
    }
    Ok(())
}

/// The metrics in as few lines as the width allows.
fn remark_lines(panel: &Panel, grid: Grid) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for remark in &panel.remarks {
        match lines.last_mut() {
            Some(line) if width_of(&format!("{line} · {remark}"), REMARK_SIZE) <= grid.side() => {
                *line += &format!(" · {remark}");
            }
            _ => lines.push(remark.clone()),
        }
    }
    lines
}

/// The names of a coordinate's row and column, at the edge and no longer than a panel.
fn draw_names<DB: DrawingBackend>(sheet: &Sheet<DB>, grid: Grid, index: usize, name: &str) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let style = sheet.text(name_size(name), MUTED).pos(Pos::new(HPos::Center, VPos::Center));
    let (left, top) = grid.corner((index, index));

    let below = grid.top + grid.side() + X_LABELS + NAME / 2;
    let column = Text::new(name.to_owned(), ((left + PANEL / 2) * unit, below * unit), style.clone());
    sheet.area.draw(&column)?;
    let upward = style.transform(FontTransform::Rotate270);
    sheet.area.draw(&Text::new(name.to_owned(), (11 * unit, (top + PANEL / 2) * unit), upward))?;
    Ok(())
}

fn name_size(name: &str) -> i32 {
    NAME_SIZE.min(PANEL * NAME_SIZE / width_of(name, NAME_SIZE).max(1))
}

fn draw_panel<DB: DrawingBackend>(
    sheet: &Sheet<DB>,
    grid: Grid,
    (column, row): (usize, usize),
    [horizontal, vertical]: [&Axis; 2],
) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let (left, top) = grid.corner((column, row));
    let corners = [(left, top), (left + PANEL, top), (left + PANEL, top + PANEL), (left, top + PANEL), (left, top)];
    let frame = corners.map(|(x, y)| (x * unit, y * unit));
    sheet.area.draw(&PathElement::new(frame, MUTED.stroke_width(sheet.stroke(6))))?;

    let area = sheet.part((left, top), (PANEL, PANEL));
    let mut chart = ChartBuilder::on(&area).build_cartesian_2d(horizontal.range.clone(), vertical.range.clone())?;
    if row + 1 == grid.n {
        for (at, label) in &horizontal.ticks {
            let foot = chart.backend_coord(&(*at, vertical.range.start));
            draw_tick(sheet, foot, (0, TICK), label)?;
        }
    }
    if column == 0 {
        for (at, label) in &vertical.ticks {
            let foot = chart.backend_coord(&(horizontal.range.start, *at));
            draw_tick(sheet, foot, (-TICK, 0), label)?;
        }
    }

    if column == row {
        let density = horizontal.density();
        let mut chart = chart.set_secondary_coord(horizontal.range.clone(), 0.0..density.top() * 1.08);
        chart.draw_secondary_series([Polygon::new(density.outline.clone(), GREEN.mix(0.4).filled())])?;
        chart.draw_secondary_series(density.path(GREEN, sheet.stroke(11)))?;
    } else {
        let every = (horizontal.values.len() * grid.n * (grid.n - 1)).div_ceil(MOST_MARKS).max(1);
        let points = horizontal.values.iter().copied().zip(vertical.values.iter().copied()).step_by(every);
        let radius = sheet.stroke(17);
        chart.draw_series(points.map(|point| Circle::new(point, radius, GREEN.mix(0.5).filled())))?;
    }
    Ok(())
}

/// A tick from `foot`, in pixels, along `arm`, and its label beyond.
fn draw_tick<DB: DrawingBackend>(sheet: &Sheet<DB>, foot: (i32, i32), arm: (i32, i32), label: &str) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let away = |n: i32| (foot.0 + n * arm.0 * sheet.scale, foot.1 + n * arm.1 * sheet.scale);
    sheet.area.draw(&PathElement::new([foot, away(1)], MUTED.stroke_width(sheet.stroke(6))))?;
    let anchor = if arm.0 == 0 { Pos::new(HPos::Center, VPos::Top) } else { Pos::new(HPos::Right, VPos::Center) };
    sheet.area.draw(&Text::new(label.to_owned(), away(2), sheet.text(TICK_SIZE, MUTED).pos(anchor)))?;
    Ok(())
}

impl<'a> Axis<'a> {
    fn of(rows: &'a Rows, coordinate: usize) -> Self {
        let values: Vec<f64> = rows.rows().iter().map(|row| row[coordinate]).collect();
        let low = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let high = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
        // A coordinate that never changes has an axis too.
        let beside = if high > low { 0.08 * (high - low) } else { 0.5 * low.abs().max(1.0) };
        let range = low - beside..high + beside;
        let ticks = ticks(&range);
        Self { name: &rows.names()[coordinate], values, range, ticks }
    }

    fn density(&self) -> Density {
        let Range { start: low, end: high } = self.range;
        let edge = |bin: u32| low + (high - low) * f64::from(bin) / f64::from(BINS);
        let count = |bin: u32| self.values.iter().filter(|value| (edge(bin)..edge(bin + 1)).contains(*value)).count();
        let counts: Vec<u64> = (0..BINS).map(|bin| count(bin) as u64).collect();
        Density::new(self.range.clone(), &counts, 0)
    }
}

impl Grid {
    fn of(panel: &Panel, rows: &Rows) -> Self {
        let grid = Self { top: 0, n: rows.names().len() };
        Self { top: TITLE + as_length(remark_lines(panel, grid).len()) * REMARK_LINE + GAP, ..grid }
    }

    fn side(self) -> i32 {
        as_length(self.n) * (PANEL + GAP) - GAP
    }

    fn corner(self, (column, row): (usize, usize)) -> (i32, i32) {
        (GUTTER + as_length(column) * (PANEL + GAP), self.top + as_length(row) * (PANEL + GAP))
    }
}

/// About the length of a text: letters and digits of the embedded font are on average 0.6 of their size wide.
fn width_of(text: &str, size: i32) -> i32 {
    as_length(text.chars().count()) * size * 3 / 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::Generated, figures::Figure, report::fake::Fake};

    #[test]
    fn a_coordinate_that_never_changes_has_an_axis() {
        for value in [0.0, -3.0, 1e6] {
            let rows = Rows::new(vec!["a".into()], vec![vec![value]; 3]).unwrap();
            let axis = Axis::of(&rows, 0);
            assert!(axis.range.contains(&value) && !axis.ticks.is_empty(), "{value}: {:?}", axis.ticks);
        }
    }

    #[test]
    fn the_density_counts_every_row() {
        let rows = Rows::new(vec!["a".into()], (0..40).map(|index| vec![f64::from(index)]).collect()).unwrap();
        let density = Axis::of(&rows, 0).density();
        let areas = density.outline.windows(2).map(|corners| (corners[1].0 - corners[0].0) * corners[0].1);
        assert!((areas.sum::<f64>() - 1.0).abs() < 1e-12); // Rounding.
    }

    #[test]
    fn five_dimensions_fit_300_kilobytes() {
        // All of 320 rows are drawn, every second of 500.
        for (n, marks) in [(320, 6_400), (500, 5_000)] {
            let mut fake = Fake::of_rows();
            let Generated::Rows(rows) = &fake.cells[0].outcome.generated else { panic!() };
            let names: Vec<&str> = rows.names().iter().map(String::as_str).collect();
            fake.cells[0].outcome.generated = Generated::Rows(Rows::first(n, &names, rows.rows()).unwrap());
            let svg = Figure::all(&fake.input()).unwrap()[0].svg().unwrap();
            assert_eq!(svg.matches("<circle ").count(), marks);
            assert!(svg.len() < 300_000, "{} bytes", svg.len());
        }
    }

    #[test]
    fn an_empty_sample_is_drawn() {
        let mut fake = Fake::of_rows();
        fake.cells[0].outcome.generated = Generated::Rows(Rows::new(vec!["a".into(), "b".into()], vec![]).unwrap());
        let svg = Figure::all(&fake.input()).unwrap()[0].svg().unwrap();
        assert!(!svg.contains("<circle ") && svg.contains("\nb\n"));
    }

    #[test]
    fn every_name_stands_once_at_each_edge() {
        let fake = Fake::of_rows();
        let svg = Figure::all(&fake.input()).unwrap()[0].svg().unwrap();
        for name in ["(Intercept)", "situself", "btypescold", "btypeshout", "modedo"] {
            assert_eq!(svg.matches(&format!(">\n{name}\n<")).count(), 2, "{name}");
        }
    }

    #[test]
    fn many_metrics_take_several_lines_of_the_grids_width() {
        let mut fake = Fake::of_rows();
        let Generated::Rows(rows) = fake.cells[0].outcome.generated.clone() else { panic!() };
        let height = |fake: &Fake| size(&Figure::all(&fake.input()).unwrap()[0].panels[0], &rows).1;
        let of_one_line = height(&fake);
        fake.reported.metrics[0].label = "a label of forty letters and more of them".repeat(2);
        assert_eq!(height(&fake), of_one_line + REMARK_LINE);
    }

    #[test]
    fn a_long_name_is_no_longer_than_a_panel() {
        let name = "a name of more letters than a panel has room for";
        assert!(width_of(name, name_size(name)) <= PANEL);
        assert_eq!(name_size("modedo"), NAME_SIZE);
    }
}
