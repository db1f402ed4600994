//! `results.json`: the table for programs. Its fields are documented in `docs/reproducing.md` and stay.

use anyhow::Result;
use serde::Serialize;

use super::{ReportInput, provenance::Provenance, table::Table, verdict::Verdict};
use crate::{cell::Protocol, reported::Direction};

#[derive(Serialize)]
struct Results<'a> {
    table: &'a str,
    protocol: Protocol,
    note: &'a str,
    rows: Vec<Row<'a>>,
    provenance: Provenance<'a>,
}

/// One method and metric; what is absent is `null`.
#[derive(Serialize)]
struct Row<'a> {
    method: &'a str,
    label: &'a str,
    /// Whether fewer epochs, samples or the like than the paper's made it.
    reduced: bool,
    metric: &'a str,
    direction: Direction,
    n: usize,
    mean: Option<f64>,
    sd: Option<f64>,
    paper_mean: Option<f64>,
    paper_sd: Option<f64>,
    verdict: Verdict,
}

pub(super) fn results(input: &ReportInput, table: &Table) -> Result<String> {
    let mut rows = Vec::new();
    for line in &table.lines {
        for (metric, entry) in table.metrics.iter().zip(&line.entries) {
            rows.push(Row {
                method: &line.column.method,
                label: &line.column.label,
                reduced: line.is_reduced,
                metric: &metric.name,
                direction: metric.direction,
                n: entry.ours.map_or(0, |ours| ours.n),
                mean: entry.ours.map(|ours| ours.mean),
                sd: entry.ours.and_then(|ours| ours.sd),
                paper_mean: entry.paper.map(|paper| paper.mean),
                paper_sd: entry.paper.and_then(|paper| paper.sd),
                verdict: entry.verdict,
            });
        }
    }
    let provenance = Provenance::of(input.cells);
    let results = Results { table: input.table, protocol: input.protocol, note: input.note, rows, provenance };
    Ok(serde_json::to_string_pretty(&results)? + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::fake::Fake;

    fn parsed(fake: &Fake) -> Value {
        let input = fake.input();
        serde_json::from_str(&results(&input, &Table::new(input.reported, input.cells)).unwrap()).unwrap()
    }

    fn row<'a>(results: &'a Value, method: &str, metric: &str) -> &'a Value {
        let rows = results["rows"].as_array().unwrap();
        rows.iter().find(|row| row["method"] == method && row["metric"] == metric).unwrap()
    }

    #[test]
    fn the_schema_is_the_documented_one() {
        let mut fake = Fake::of("table2");
        fake.note = "3 seeds".into();
        let results = parsed(&fake);

        let keys = |value: &Value| {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&results), ["note", "protocol", "provenance", "rows", "table"]);
        assert_eq!(
            keys(&results["rows"][0]),
            [
                "direction",
                "label",
                "mean",
                "method",
                "metric",
                "n",
                "paper_mean",
                "paper_sd",
                "reduced",
                "sd",
                "verdict"
            ]
        );
        assert_eq!(results["table"], "table2");
        assert_eq!(results["protocol"], "full");
        assert_eq!(results["note"], "3 seeds");
        assert_eq!(results["rows"].as_array().unwrap().len(), 9 * 4);
        assert_eq!(
            results["provenance"],
            json!({
                "version": ["0.1.0"], "instruction_sets": ["avx2"], "machines": ["made up"], "data": [],
                "config_hashes": { "vae": ["hash-of-vae"], "iwae": ["hash-of-iwae"], "aais": ["hash-of-aais"],
                                   "iwae-published": ["hash-of-iwae-published"] },
                "epochs": { "vae": [1000], "iwae": [1000], "iwae-published": [1000], "aais": [1000] },
                "seeds": { "vae": [0, 1, 2], "iwae": [0, 1, 2], "iwae-published": [0, 1, 2], "aais": [0, 1, 2] },
            })
        );
    }

    #[test]
    fn what_is_absent_is_null() {
        let results = parsed(&Fake::of("table2"));

        let not_run = row(&results, "almond", "ks");
        assert_eq!(not_run["verdict"], "not-run");
        assert_eq!((&not_run["n"], &not_run["mean"], &not_run["sd"]), (&json!(0), &Value::Null, &Value::Null));
        assert_eq!(not_run["paper_mean"], 0.048);

        let ours_only = row(&results, "iwae", "ks");
        assert_eq!(ours_only["verdict"], "no-reference");
        assert_eq!((&ours_only["n"], &ours_only["paper_mean"]), (&json!(3), &Value::Null));

        assert_eq!(row(&results, "aais-ema", "ks")["n"], 3);
        assert_eq!(row(&results, "vae-ema", "ks")["verdict"], "not-run");
        assert_eq!(row(&results, "aais", "edge")["direction"], "max");

        let results = parsed(&Fake::of_rows());
        let without_sd = row(&results, "glmm", "modedo");
        assert_eq!((&without_sd["paper_mean"], &without_sd["paper_sd"]), (&json!(-0.669), &Value::Null));
        assert_eq!(without_sd["direction"], "none");
    }
}
