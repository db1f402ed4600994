//! The report of a table: our means beside the paper's, for people (terminal, Markdown, HTML, figures) and programs (JSON).
//!
//! The same cells give the same bytes: nothing here reads a clock, and cells are taken in the order of their seeds.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Result, bail, ensure};

use crate::{
    cell::{Cell, Generated, Protocol},
    figures::Figure,
    reported::Reported,
};

mod files;
mod html;
mod json;
mod markdown;
mod provenance;
mod summary;
mod table;
mod terminal;
mod verdict;

pub use files::{remove_with_partial, write_atomically, write_atomically_with};
pub use summary::{Summary, outcomes, summarize};
pub use table::{Entry, Line, Table};
pub use terminal::terminal;
pub use verdict::{VERDICT_RULE, Verdict};

#[cfg(test)]
pub(crate) mod fake;

/// Everything a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// `table2`, `table3`, `figure1`.
    pub table: &'a str,
    /// Title of the experiment, as in its config.
    pub title: &'a str,
    /// How much of the paper's protocol all cells followed.
    pub protocol: Protocol,
    /// What differs from the paper's protocol, or empty.
    pub note: &'a str,
    /// The paper's numbers.
    pub reported: &'a Reported,
    /// Finished cells of this table, in any order.
    pub cells: &'a [Cell],
    /// The true training signal: a histogram of the cells' bins, or points; none where the truth is unknown.
    pub reference: Option<&'a Generated>,
}

/// Writes `results.json`, `report.md`, `report.html` and `figures/*` below `directory`.
///
/// # Errors
/// If the cells do not belong to one table and protocol, or a file cannot be written.
pub fn write(directory: &Path, input: &ReportInput) -> Result<()> {
    check_cells(input)?;
    let table = Table::new(input.reported, input.cells);
    let figures = Figure::all(input)?;
    let svgs = figures.iter().map(Figure::svg).collect::<Result<Vec<_>>>()?;

    write_atomically(&directory.join("results.json"), json::results(input, &table)?.as_bytes())?;
    write_atomically(&directory.join("report.md"), markdown::report(input, &table, &figures).as_bytes())?;
    write_atomically(&directory.join("report.html"), html::report(input, &table, &figures, &svgs).as_bytes())?;
    let folder = directory.join("figures");
    for (figure, svg) in figures.iter().zip(&svgs) {
        write_atomically(&folder.join(format!("{}.svg", figure.name)), svg.as_bytes())?;
        write_atomically_with(&folder.join(format!("{}.png", figure.name)), |partial| figure.save_png(partial))?;
    }
    Ok(())
}

/// A full report may not hold quick cells, nor those of another table, nor one twice.
fn check_cells(input: &ReportInput) -> Result<()> {
    let mut seen = BTreeSet::new();
    for cell in input.cells {
        let name = format!("cell {} of {}", cell.seed, cell.method);
        let table = input.reported.cells.as_deref().unwrap_or(input.table);
        ensure!(cell.table == table, "{name} belongs to {}, not to {table}", cell.table);
        ensure!(seen.insert((&cell.method, cell.seed)), "{name} stands twice");
        if strength(cell.protocol) < strength(input.protocol) {
            bail!(
                "{name} followed the {} protocol, the report of {} is a {} one; write each to its own folder (`--out`)",
                protocol_name(cell.protocol),
                input.table,
                protocol_name(input.protocol)
            );
        }
    }
    Ok(())
}

fn strength(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Quick => 0,
        Protocol::Reduced => 1,
        Protocol::Full => 2,
    }
}

/// The protocol's name in messages and `results.json`.
pub(crate) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Full => "full",
        Protocol::Quick => "quick",
        Protocol::Reduced => "reduced",
    }
}

/// What to tell a reader before any number of a run that did not follow the paper's protocol.
fn notice(protocol: Protocol) -> Option<[&'static str; 2]> {
    match protocol {
        Protocol::Full => None,
        Protocol::Quick => Some([
            "Quick run, not the paper's protocol",
            "Few epochs and seeds, for a first look. Its numbers and verdicts say nothing about the methods.",
        ]),
        Protocol::Reduced => Some([
            "Reduced run, not all of the paper's protocol",
            "Other settings than the paper's, so its numbers compare with the paper's only in part.",
        ]),
    }
}

/// `table2` as people write it: `Table 2`.
fn heading(table: &str) -> String {
    let digits = table.find(|letter: char| letter.is_ascii_digit()).unwrap_or(table.len());
    let (kind, number) = table.split_at(digits);
    let mut letters = kind.chars();
    let capitalized: String =
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    format!("{capitalized} {number}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::reported::{FigureSpec, Shows};

    fn read_all(directory: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in [directory.to_path_buf(), directory.join("figures")] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    #[test]
    fn a_report_is_five_files() {
        for table in ["table2", "table3", "table4", "figure1"] {
            let directory = tempfile::tempdir().unwrap();
            let fake = fake::Fake::of(table);
            write(directory.path(), &fake.input()).unwrap();

            let names: Vec<String> = read_all(directory.path()).into_iter().map(|(name, _)| name).collect();
            let figure = fake.reported.figures[0].name.as_str();
            let expected = [
                format!("{figure}.png"),
                format!("{figure}.svg"),
                "report.html".into(),
                "report.md".into(),
                "results.json".into(),
            ];
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn figures_stand_in_order_without_those_that_have_no_cells() {
        let directory = tempfile::tempdir().unwrap();
        let mut fake = fake::Fake::of("table2");
        fake.reported.figures[0].caption = "The first.".into();
        for (name, method) in [("second", "almond"), ("third", "vae")] {
            let (name, caption, panels) = (name.to_owned(), format!("The {name}."), vec![method.to_owned()]);
            fake.reported.figures.push(FigureSpec { name, caption, panels, axis: None, shows: Shows::Generated });
        }
        write(directory.path(), &fake.input()).unwrap();

        let files: Vec<String> = read_all(directory.path()).into_iter().map(|(name, _)| name).collect();
        let expected =
            ["figure2.png", "figure2.svg", "report.html", "report.md", "results.json", "third.png", "third.svg"];
        assert_eq!(files, expected);
        for report in ["report.md", "report.html"] {
            let text = fs::read_to_string(directory.path().join(report)).unwrap();
            let first = text.find("The first.").unwrap();
            assert!(first < text.find("The third.").unwrap() && !text.contains("The second."), "{report}");
        }
    }

    #[test]
    fn the_same_cells_in_any_order_give_the_same_bytes() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut fake = fake::Fake::of("table2");
        write(first.path(), &fake.input()).unwrap();
        fake.cells.reverse();
        write(second.path(), &fake.input()).unwrap();
        assert!(read_all(first.path()) == read_all(second.path()));
    }

    #[test]
    fn no_cells_make_a_report_without_figures() {
        let directory = tempfile::tempdir().unwrap();
        let mut fake = fake::Fake::of("table2");
        fake.cells.clear();
        write(directory.path(), &fake.input()).unwrap();
        assert!(!directory.path().join("figures").exists());
        assert!(directory.path().join("report.html").exists());
    }

    #[test]
    fn cells_of_another_table_or_protocol_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let refusal = |spoil: fn(&mut Vec<Cell>)| {
            let mut fake = fake::Fake::of("table2");
            spoil(&mut fake.cells);
            write(directory.path(), &fake.input()).unwrap_err().to_string()
        };
        assert!(refusal(|cells| cells[0].table = "table3".into()).contains("belongs to table3"));
        assert!(refusal(|cells| cells[0].protocol = Protocol::Quick).contains("followed the quick protocol"));
        assert!(refusal(|cells| cells.push(cells[0].clone())).contains("stands twice"));
    }

    #[test]
    fn headings_are_words() {
        assert_eq!(heading("table2"), "Table 2");
        assert_eq!(heading("figure10"), "Figure 10");
        assert_eq!(heading("all"), "All");
    }
}
