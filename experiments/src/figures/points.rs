//! Points of the plane: training data as orange circles, the generated sample as blue pluses.

use anyhow::Result;
use plotters::{
    chart::ChartBuilder,
    element::{Circle, EmptyElement, PathElement, Text},
    prelude::DrawingBackend,
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{BLUE, Figure, Generated, INK, MUTED, ORANGE, Sheet, as_length, tick};

const PANEL: i32 = 380;
const GUTTER: i32 = 46;
const LEGEND: i32 = 34;
const MARGIN: i32 = 14;
const TITLE: i32 = 28;
const X_LABELS: i32 = 28;

/// More points than this hide each other, and make a page of megabytes.
const MOST_POINTS: usize = 700;

pub(super) fn size(n_panels: usize) -> (i32, i32) {
    (GUTTER + as_length(n_panels) * (PANEL + MARGIN), LEGEND + TITLE + PANEL + X_LABELS + 4)
}

pub(super) fn draw<DB: DrawingBackend>(figure: &Figure, reference: &[[f64; 2]], sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let samples: Option<Vec<&[[f64; 2]]>> = figure.panels.iter().map(|panel| points(panel.generated)).collect();
    let samples = samples.ok_or_else(|| figure.mixed())?;
    let farthest = samples.iter().copied().chain([reference]).flat_map(|points| points.iter().flatten());
    let reach = farthest.fold(0.1, |reach: f64, coordinate| reach.max(coordinate.abs())) * 1.06;

    legend(sheet)?;
    let mut left = GUTTER;
    for (index, (panel, sample)) in figure.panels.iter().zip(&samples).enumerate() {
        let title = sheet.text(18, INK).pos(Pos::new(HPos::Left, VPos::Center));
        sheet.area.draw(&Text::new(panel.title.clone(), (left * unit, (LEGEND + TITLE / 2) * unit), title))?;

        let gutter = if index == 0 { GUTTER } else { 0 };
        let area = sheet.part((left - gutter, LEGEND + TITLE), (PANEL + gutter, PANEL + X_LABELS));
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(X_LABELS * unit)
            .y_label_area_size(gutter * unit)
            .build_cartesian_2d(-reach..reach, -reach..reach)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(MUTED.stroke_width(sheet.stroke(10)))
            .label_style(sheet.text(14, MUTED))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .set_all_tick_mark_size(3 * unit)
            .draw()?;

        let circle = ORANGE.mix(0.9).stroke_width(sheet.stroke(11));
        chart.draw_series(thinned(reference).map(|point| Circle::new(point, 4 * unit, circle)))?;
        let plus = BLUE.mix(0.7).stroke_width(sheet.stroke(11));
        chart.draw_series(thinned(sample).map(|point| {
            let arm = 3 * unit;
            EmptyElement::at(point)
                + PathElement::new([(-arm, 0), (arm, 0)], plus)
                + PathElement::new([(0, -arm), (0, arm)], plus)
        }))?;

        let remark = sheet.text(15, INK).pos(Pos::new(HPos::Right, VPos::Top));
        for (line, text) in (0..).zip(&panel.remarks) {
            let at = EmptyElement::at((reach, reach));
            chart.draw_series([at + Text::new(text.clone(), (-8 * unit, (6 + 19 * line) * unit), remark.clone())])?;
        }
        left += PANEL + MARGIN;
    }
    Ok(())
}

fn points(generated: &Generated) -> Option<&[[f64; 2]]> {
    match generated {
        Generated::Points(points) => Some(points),
        Generated::Histogram { .. } | Generated::Rows(_) | Generated::Classes(_) | Generated::Images(_) => None,
    }
}

/// Every k-th point, such that few enough are left.
fn thinned(points: &[[f64; 2]]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().step_by(points.len().div_ceil(MOST_POINTS).max(1)).map(|[x, y]| (*x, *y))
}

fn legend<DB: DrawingBackend>(sheet: &Sheet<DB>) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let unit = sheet.scale;
    let label = sheet.text(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
    let y = 15 * unit;
    let (first, second) = ((GUTTER + 6) * unit, (GUTTER + 136) * unit);
    let arm = 5 * unit;
    let blue = BLUE.stroke_width(sheet.stroke(13));

    sheet.area.draw(&Circle::new((first, y), 4 * unit, ORANGE.stroke_width(sheet.stroke(13))))?;
    sheet.area.draw(&PathElement::new([(second - arm, y), (second + arm, y)], blue))?;
    sheet.area.draw(&PathElement::new([(second, y - arm), (second, y + arm)], blue))?;
    for (x, text) in [(first, "training data"), (second, "generated")] {
        sheet.area.draw(&Text::new(text, (x + 13 * unit, y + unit), label.clone()))?;
    }
    Ok(())
}
