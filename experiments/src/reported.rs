//! What the paper reports of a table or figure, and the claims that our own runs of it must satisfy.
//!
//! One TOML file a table lies in `reported/`; a new table is one file and one line of [`FILES`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

mod claims;
mod metric;

pub use claims::{Band, Ordering};
pub use metric::{Direction, Metric};

/// The files of `reported/`, by table.
pub const FILES: &[(&str, &str)] = &[
    ("figure1", include_str!("../reported/figure1.toml")),
    ("table2", include_str!("../reported/table2.toml")),
    ("table3", include_str!("../reported/table3.toml")),
    ("table4", include_str!("../reported/table4.toml")),
    ("table5", include_str!("../reported/table5.toml")),
    ("table6", include_str!("../reported/table6.toml")),
    ("table7", include_str!("../reported/table7.toml")),
    ("table9", include_str!("../reported/table9.toml")),
];

/// One table of the paper: its metrics, methods and numbers, its figures, and the claims about it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// The table whose cells it shows; its own if left out.
    pub cells: Option<String>,
    /// What the table shows, in a sentence.
    pub caption: String,
    /// Where in the paper it stands: `Table 2 and Figure 2`.
    pub source: String,
    /// In the table's order.
    pub metrics: Vec<Metric>,
    /// Methods in the table's order.
    pub columns: Vec<Column>,
    /// Drawn from the same runs, in the report's order.
    #[serde(default)]
    pub figures: Vec<FigureSpec>,
    /// Bounds on means over seeds.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// Comparisons of means over seeds.
    #[serde(default)]
    pub orderings: Vec<Ordering>,
}

/// A method and its numbers in the paper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// As in a cell's file; `<method>-ema` reads the averaged parameters of `<method>`'s cells.
    pub method: String,
    /// As people read it.
    pub label: String,
    /// The paper's numbers by metric; empty where it has none.
    #[serde(default)]
    pub reported: BTreeMap<String, PaperValue>,
    /// Ours agrees with a number that the paper prints without a standard deviation if it is off by this share of it.
    pub agrees_within: Option<f64>,
    /// What a reader must know to compare this row.
    pub note: Option<String>,
}

/// A number as printed in the paper: `[mean, sd]` in TOML, or `[mean]` of a method without chance.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<f64>")]
pub struct PaperValue {
    /// Mean over the paper's ten runs, or the one number it has.
    pub mean: f64,
    /// Standard deviation over the paper's ten runs.
    pub sd: Option<f64>,
}

/// A figure of one panel a method, or of all pairs of one method's coordinates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSpec {
    /// File name without extension: `figure2`.
    pub name: String,
    /// What the figure shows.
    pub caption: String,
    /// Methods in the order of their panels; those without cells are left out.
    pub panels: Vec<String>,
    /// Name of the horizontal axis of a histogram.
    pub axis: Option<String>,
    /// Which images it shows, where the samples are images.
    #[serde(default)]
    pub shows: Shows,
}

/// What a figure shows of a model of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// What it generates.
    #[default]
    Generated,
    /// What it makes of images that it has not seen, beside them.
    Reconstructions,
}

impl Reported {
    /// The embedded file of a table.
    ///
    /// # Errors
    /// If there is no such table, or its file contradicts itself.
    pub fn of(table: &str) -> Result<Self> {
        let Some((_, text)) = FILES.iter().find(|(name, _)| *name == table) else {
            let known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
            bail!("no reported numbers for `{table}`; known tables are {}", known.join(", "));
        };
        Self::parse(text).with_context(|| format!("in reported/{table}.toml"))
    }

    /// Reads a file of `reported/` and checks that every name in it is one of its own metrics or methods.
    ///
    /// # Errors
    /// If it is not such a file; the message names the key or the name that is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let reported: Self = toml::from_str(text)?;
        reported.check_names()?;
        reported.columns.iter().try_for_each(Column::check)?;
        reported.bands.iter().try_for_each(Band::check)?;
        reported.check_directions()?;
        Ok(reported)
    }

    /// The table whose cells a table shows, and the tables that show the cells of a table.
    ///
    /// # Errors
    /// As [`Reported::of`].
    pub fn shares_cells(table: &str) -> Result<(String, Vec<&'static str>)> {
        let cells = Self::of(table)?.cells.unwrap_or_else(|| table.to_owned());
        let mut shown_in = Vec::new();
        for (other, _) in FILES {
            if Self::of(other)?.cells.as_ref().map_or(*other, String::as_str) == cells {
                shown_in.push(*other);
            }
        }
        Ok((cells, shown_in))
    }

    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The column of this method.
    pub fn column(&self, method: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.method == method)
    }

    /// What asks for better must be about a metric that has a better direction.
    fn check_directions(&self) -> Result<()> {
        for Metric { name, direction, saturates_at, .. } in &self.metrics {
            let is_clear = saturates_at.is_none() || *direction != Direction::None;
            ensure!(is_clear, "`saturates_at` needs a metric with a better direction; `{name}` has none");
        }
        for ordering in &self.orderings {
            for name in &ordering.metrics {
                let direction = self.metric(name).map(|metric| metric.direction);
                let is_ordered = direction != Some(Direction::None);
                ensure!(is_ordered, "an ordering needs a metric with a better direction; `{name}` has none");
                let may_have_factor = ordering.factor.is_none() || direction == Some(Direction::Min);
                ensure!(may_have_factor, "`factor` needs a metric with direction \"min\"; `{name}` is none");
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        let metrics = unique(self.metrics.iter().map(|metric| metric.name.as_str()), "metric")?;
        let methods = unique(self.columns.iter().map(|column| column.method.as_str()), "method")?;
        unique(self.figures.iter().map(|figure| figure.name.as_str()), "figure")?;

        let named_metrics = (self.columns.iter().flat_map(|column| column.reported.keys()))
            .chain(self.bands.iter().map(|band| &band.metric))
            .chain(self.orderings.iter().flat_map(|ordering| &ordering.metrics));
        for name in named_metrics {
            ensure!(metrics.contains(name.as_str()), "unknown metric `{name}`; known metrics are {}", join(&metrics));
        }

        let named_methods = (self.figures.iter().flat_map(|figure| &figure.panels))
            .chain(self.bands.iter().map(|band| &band.method))
            .chain(self.orderings.iter().flat_map(|ordering| [&ordering.better, &ordering.worse]));
        for name in named_methods {
            ensure!(methods.contains(name.as_str()), "unknown method `{name}`; known methods are {}", join(&methods));
        }
        Ok(())
    }
}

impl Column {
    fn check(&self) -> Result<()> {
        let Some(share) = self.agrees_within else { return Ok(()) };
        let key = format!("`agrees_within` of `{}`", self.method);
        ensure!((0.0..1.0).contains(&share), "{key} is {share}; give a share of the paper's numbers, such as 0.0015");
        let is_used = self.reported.values().any(|value| value.sd.is_none());
        ensure!(is_used, "{key} judges numbers without a standard deviation, `[mean]`; the row has none");
        Ok(())
    }
}

impl TryFrom<Vec<f64>> for PaperValue {
    type Error = String;

    fn try_from(numbers: Vec<f64>) -> Result<Self, String> {
        match numbers[..] {
            [mean] => Ok(Self { mean, sd: None }),
            [mean, sd] => Ok(Self { mean, sd: Some(sd) }),
            _ => Err(format!("expected `[mean, sd]` or `[mean]` of the paper, found {} numbers", numbers.len())),
        }
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>, kind: &str) -> Result<BTreeSet<&'a str>> {
    let mut seen = BTreeSet::new();
    for name in names {
        ensure!(seen.insert(name), "{kind} `{name}` stands twice");
    }
    Ok(seen)
}

fn join(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &str, method: &str) -> Vec<(f64, f64)> {
        let reported = Reported::of(table).unwrap();
        let column = reported.column(method).unwrap();
        let values = reported.metrics.iter().filter_map(|metric| column.reported.get(&metric.name));
        values.map(|value| (value.mean, value.sd.unwrap())).collect()
    }

    fn parse_table(metric: &str, column: &str) -> Result<Reported> {
        Reported::parse(&format!("caption = 'c'\nsource = 's'\nmetrics = [{metric}]\ncolumns = [{column}]"))
    }

    fn with_line(line: &str) -> Result<Reported> {
        let minimal = r#"
            caption = "c"
            source = "s"
            metrics = [{ name = "ks", label = "KS", description = "d", direction = "min", digits = 3 },
                       { name = "edge", label = "edge", description = "d", direction = "max", digits = 3 },
                       { name = "slope", label = "slope", description = "d", direction = "none", digits = 3 }]
            columns = [{ method = "vae", label = "VAE" }, { method = "aais", label = "AAIS" }]
        "#;
        Reported::parse(&format!("{minimal}\n{line}"))
    }

    #[test]
    fn every_file_parses() {
        for (table, _) in FILES {
            Reported::of(table).unwrap();
        }
        let message = Reported::of("table8").unwrap_err().to_string();
        assert!(message.contains("figure1, table2, table3, table4, table5, table6, table7, table9"), "{message}");
    }

    #[test]
    fn table_2_is_the_papers() {
        assert_eq!(printed("table2", "vae"), [(0.092, 0.004), (0.198, 0.016), (0.092, 0.004)]);
        assert_eq!(printed("table2", "iwae-published"), [(0.105, 0.013), (0.457, 0.094), (0.008, 0.004)]);
        assert_eq!(printed("table2", "amcvae"), [(0.084, 0.015), (0.187, 0.031), (0.083, 0.015)]);
        assert_eq!(printed("table2", "lmcvae"), [(0.070, 0.041), (0.161, 0.042), (0.022, 0.028)]);
        assert_eq!(printed("table2", "almond"), [(0.048, 0.001), (0.068, 0.018), (0.048, 0.001)]);
        assert_eq!(printed("table2", "aais"), [(0.041, 0.011), (0.065, 0.006), (0.000, 0.000)]);
    }

    #[test]
    fn table_3_is_the_papers() {
        assert_eq!(printed("table3", "vae"), [(0.127, 0.005), (0.358, 0.009)]);
        assert_eq!(printed("table3", "iwae-published"), [(0.087, 0.020), (0.242, 0.044)]);
        assert_eq!(printed("table3", "amcvae"), [(0.123, 0.039), (0.346, 0.093)]);
        assert_eq!(printed("table3", "lmcvae"), [(0.030, 0.007), (0.079, 0.008)]);
        assert_eq!(printed("table3", "almond"), [(0.063, 0.004), (0.127, 0.006)]);
        assert_eq!(printed("table3", "aais"), [(0.030, 0.008), (0.063, 0.018)]);
    }

    #[test]
    fn table_4_is_the_papers() {
        assert_eq!(printed("table4", "vae"), [(0.108, 0.053), (0.313, 0.105), (0.110, 0.007)]);
        assert_eq!(printed("table4", "iwae-published"), [(0.089, 0.028), (0.304, 0.083), (0.043, 0.008)]);
        assert_eq!(printed("table4", "amcvae"), [(0.300, 0.079), (0.677, 0.125), (0.044, 0.022)]);
        assert_eq!(printed("table4", "lmcvae"), [(0.151, 0.339), (0.530, 0.157), (0.056, 0.028)]);
        assert_eq!(printed("table4", "almond"), [(0.052, 0.023), (0.153, 0.070), (0.034, 0.005)]);
        assert_eq!(printed("table4", "aais"), [(0.043, 0.017), (0.123, 0.054), (0.033, 0.007)]);
    }

    #[test]
    fn table_5_is_the_papers() {
        assert_eq!(printed("table5", "vae"), [(62.524, 0.389)]);
        assert_eq!(printed("table5", "iwae-published"), [(56.674, 0.193)]);
        assert_eq!(printed("table5", "amcvae"), [(55.598, 0.264)]);
        assert_eq!(printed("table5", "lmcvae"), [(56.237, 0.176)]);
        assert_eq!(printed("table5", "aais"), [(56.733, 0.302)]);
    }

    #[test]
    fn table_6_is_the_papers() {
        assert_eq!(printed("table6", "vae"), [(0.584, 0.025), (0.608, 0.023)]);
        assert_eq!(printed("table6", "tsne"), [(0.572, 0.034), (0.611, 0.027)]);
        assert_eq!(printed("table6", "umap"), [(0.638, 0.030), (0.680, 0.022)]);
        assert_eq!(printed("table6", "pacmap"), [(0.626, 0.065), (0.680, 0.024)]);
        assert_eq!(printed("table6", "scvi"), [(0.699, 0.056), (0.685, 0.041)]);
        assert_eq!(printed("table6", "aais"), [(0.702, 0.033), (0.699, 0.016)]);
    }

    #[test]
    fn variants_of_ours_carry_no_numbers_of_the_paper() {
        for table in ["table2", "table3", "table4"] {
            for method in ["iwae", "vae-ema", "aais-ema"] {
                assert!(printed(table, method).is_empty(), "{table} {method}");
            }
        }
        let table5 = Reported::of("table5").unwrap();
        let ours = table5.columns.iter().filter(|column| column.method == "iwae" || column.method.ends_with("-short"));
        assert!(ours.clone().count() == 7 && ours.clone().all(|column| column.reported.is_empty()));
    }

    #[test]
    fn a_misspelled_name_is_an_error() {
        for (line, expected) in [
            ("captoin = 'c'", "unknown field `captoin`"),
            ("bands = [{ method = 'vae', metric = 'sk', high = 1.0, reason = 'r' }]", "unknown metric `sk`"),
            ("bands = [{ method = 'va', metric = 'ks', high = 1.0, reason = 'r' }]", "unknown method `va`"),
            ("bands = [{ method = 'vae', metric = 'ks', reason = 'r' }]", "has no bound"),
            ("bands = [{ method = 'vae', metric = 'ks', low = 2.0, high = 1.0, reason = 'r' }]", "is empty"),
            ("figures = [{ name = 'f', caption = 'c', panels = ['gan'] }]", "unknown method `gan`"),
            (
                "figures = [{ name = 'f', caption = 'c', panels = [] }, { name = 'f', caption = 'd', panels = [] }]",
                "figure `f` stands twice",
            ),
            (
                "orderings = [{ better = 'aais', worse = 'vae', metrics = ['edge'], factor = 0.5, reason = 'r' }]",
                "needs a metric with direction",
            ),
            (
                "orderings = [{ better = 'aais', worse = 'vae', metrics = ['slope'], reason = 'r' }]",
                "an ordering needs a metric with a better direction; `slope` has none",
            ),
        ] {
            let message = format!("{:#}", with_line(line).unwrap_err());
            assert!(message.contains(expected), "{line}: {message}");
        }
        with_line("").unwrap();
    }

    #[test]
    fn nothing_saturates_without_a_better_direction() {
        let parse = |direction: &str| {
            let rest = format!("direction = '{direction}', saturates_at = 0.0, digits = 3");
            parse_table(&format!("{{ name = 'edge', label = 'edge', description = 'd', {rest} }}"), "")
        };
        assert!(
            parse("none").unwrap_err().to_string().contains("`saturates_at` needs a metric with a better direction")
        );
        parse("max").unwrap();
    }

    #[test]
    fn a_number_of_the_paper_may_have_no_deviation() {
        let parse = |row: &str| {
            let metric = "{ name = 'ks', label = 'KS', description = 'd', direction = 'none', digits = 3 }";
            let column = format!("{{ method = 'glmm', label = 'GLMM', {row} }}");
            parse_table(metric, &column)
        };
        let reported = parse("reported = { ks = [4530.573] }, agrees_within = 0.0015").unwrap();
        assert_eq!(reported.columns[0].reported["ks"], PaperValue { mean: 4530.573, sd: None });
        assert_eq!(reported.columns[0].agrees_within, Some(0.0015));

        for (row, expected) in [
            ("reported = { ks = [] }", "found 0 numbers"),
            ("reported = { ks = [1.0, 2.0, 3.0] }", "found 3 numbers"),
            ("reported = { ks = [1.0] }, agrees_within = -0.1", "is -0.1; give a share"),
            ("reported = { ks = [1.0, 0.1] }, agrees_within = 0.1", "the row has none"),
        ] {
            let message = format!("{:#}", parse(row).unwrap_err());
            assert!(message.contains(expected), "{row}: {message}");
        }
    }
}
