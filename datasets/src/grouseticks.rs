//! Ticks on red grouse chicks: counts in broods.

use crate::table::{ColumnValues, Table, TableOptions, TextColumn, read_table_from};

/// `data/README.md` says from where and on what terms.
const FILE: &[u8] = include_bytes!("../data/grouseticks.csv.gz");

/// Columns whose numbers are levels.
const LEVELS: [&str; 4] = ["YEAR", "INDEX", "BROOD", "LOCATION"];

/// The grouseticks data of the R package lme4: ticks (`TICKS`) on 403 chicks of 118 broods (`BROOD`) at 63 places
/// (`LOCATION`) in three years (`YEAR`), with the height above sea level less its mean (`cHEIGHT`). `INDEX` numbers the
/// chicks. Levels are numbers from zero in the order of R's.
///
/// ```
/// use aais_datasets::{ColumnValues, grouseticks};
///
/// let table = grouseticks();
/// let Some(ColumnValues::Text(broods)) = table.column("BROOD") else { panic!("broods are levels") };
/// assert_eq!((table.n_rows(), broods.levels.len()), (403, 118));
/// ```
#[must_use]
pub fn grouseticks() -> Table {
    let mut table =
        read_table_from(FILE, "grouseticks.csv.gz", &TableOptions::default()).expect("the file is published");
    for column in table.columns.iter_mut().filter(|column| LEVELS.contains(&column.name.as_str())) {
        let ColumnValues::Numbers(values) = &column.values else { continue };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "levels are whole numbers from zero"
        )]
        let codes: Vec<usize> = values.iter().map(|level| *level as usize).collect();
        let n_levels = codes.iter().max().map_or(0, |last| last + 1);
        let levels = (0..n_levels).map(|level| level.to_string()).collect();
        column.values = ColumnValues::Text(TextColumn { levels, codes: codes.into_iter().map(Some).collect() });
    }
    table
}
