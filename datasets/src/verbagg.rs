//! Verbal aggression: 316 persons answer 24 questions. Paper, Section 4.3.

use crate::table::{ColumnValues, Table, TableOptions, TextColumn, read_table_from};

/// The file as it is published; `data/README.md` says where and on what terms.
const FILE: &[u8] = include_bytes!("../data/VerbAgg.csv.gz");

/// Levels in R's order, the reference first.
const LEVELS: [(&str, &[&str]); 6] = [
    ("Gender", &["F", "M"]),
    ("resp", &["no", "perhaps", "yes"]),
    ("btype", &["curse", "scold", "shout"]),
    ("situ", &["other", "self"]),
    ("mode", &["want", "do"]),
    ("r2", &["N", "Y"]),
];

/// The VerbAgg data of the R package lme4: 7,584 answers with nine columns.
///
/// Would the person (`id`) curse, scold or shout (`btype`), want to or do so (`mode`), when another or the person
/// was to blame (`situ`)? `resp` is the answer and `r2` whether it is other than no; `item` is the question, `Anger`
/// the person's trait score, `Gender` the person's gender. All but `Anger` are levels, in R's order.
///
/// ```
/// use aais_datasets::{ColumnValues, verbagg};
///
/// let table = verbagg();
/// let Some(ColumnValues::Text(situ)) = table.column("situ") else { panic!("`situ` has levels") };
/// assert_eq!((table.n_rows(), situ.levels[0].as_str()), (7584, "other"));
/// ```
#[must_use]
pub fn verbagg() -> Table {
    let mut table = read_table_from(FILE, "VerbAgg.csv.gz", &TableOptions::default()).expect("the file is published");
    table.columns.retain(|column| column.name != "rownames");
    for column in &mut table.columns {
        let name = column.name.as_str();
        match &column.values {
            // Persons are numbered in the order of their answers, which is that of R's levels.
            ColumnValues::Numbers(values) if name == "id" => {
                let texts: Vec<Option<String>> = values.iter().map(|id| Some(id.to_string())).collect();
                column.values = ColumnValues::Text(by_appearance(TextColumn::new(&texts)));
            }
            ColumnValues::Numbers(_) => (),
            ColumnValues::Text(texts) => {
                let known = LEVELS.iter().find(|(known, _)| *known == name);
                column.values = ColumnValues::Text(match known {
                    Some((_, levels)) => texts.clone().with_levels(levels).expect("these are the levels"),
                    None => by_appearance(texts.clone()),
                });
            }
        }
    }
    table
}

/// Levels in the order in which they come first.
fn by_appearance(column: TextColumn) -> TextColumn {
    let mut levels: Vec<String> = Vec::new();
    for text in column.values().flatten() {
        if !levels.iter().any(|level| level == text) {
            levels.push(text.to_owned());
        }
    }
    column.with_levels(&levels).expect("every text is a level")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flate2::read::GzDecoder;
    use sha2::{Digest, Sha256};
    use std::io::Read;

    fn column(name: &str) -> TextColumn {
        match verbagg().column(name) {
            Some(ColumnValues::Text(column)) => column.clone(),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn counts(name: &str) -> Vec<usize> {
        let column = column(name);
        let count = |level| column.codes.iter().filter(|code| **code == Some(level)).count();
        (0..column.levels.len()).map(count).collect()
    }

    #[test]
    fn the_file_is_the_published_one() {
        let mut text = Vec::new();
        GzDecoder::new(FILE).read_to_end(&mut text).unwrap();
        let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "4d3c3a0c4497e5a87b873038996a9878136b188ec5bef3b873dcb4858c18b75b");
    }

    /// Counts and levels of lme4 1.1-31, by `table()` and `levels()` in R 4.2.2.
    #[test]
    fn answers_are_counted_as_in_r() {
        assert_eq!(counts("r2"), [3973, 3611]);
        assert_eq!(counts("resp"), [3973, 2081, 1530]);
        assert_eq!(counts("Gender"), [5832, 1752]);
        assert_eq!((counts("btype"), counts("situ"), counts("mode")), (vec![2528; 3], vec![3792; 2], vec![3792; 2]));
        assert_eq!((counts("id"), counts("item")), (vec![24; 316], vec![316; 24]));

        let (r2, mode, resp) = (column("r2").codes, column("mode").codes, column("resp").codes);
        let yes = |level| r2.iter().zip(&mode).filter(|pair| *pair == (&Some(1), &Some(level))).count();
        assert_eq!([yes(0), yes(1)], [2018, 1593]);
        assert!(r2.iter().zip(&resp).all(|(r2, resp)| (*r2 == Some(1)) == (*resp != Some(0))));

        let table = verbagg();
        let Some(ColumnValues::Numbers(anger)) = table.column("Anger") else { panic!("`Anger` is numeric") };
        assert_eq!(anger.iter().sum::<f64>(), 151_704.0);
    }

    #[test]
    fn levels_are_in_the_order_of_r() {
        assert_eq!(column("id").levels, (1..=316).map(|id| id.to_string()).collect::<Vec<_>>());
        let items = column("item").levels;
        assert_eq!(
            (items[0].as_str(), items[9].as_str(), items[23].as_str()),
            ("S1WantCurse", "S4wantCurse", "S4DoShout")
        );
        let names: Vec<String> = verbagg().columns.into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["Anger", "Gender", "item", "resp", "id", "btype", "situ", "mode", "r2"]);
    }
}
