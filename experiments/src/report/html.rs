//! `report.html`: the table for people, in one file that opens offline.

use super::{
    ReportInput, heading, notice,
    provenance::{Provenance, list, mean_time, short_hashes},
    table::{Entry, Line, Table},
    verdict::Verdict,
};
use crate::{
    check::{Outcome, check},
    figures::Figure,
    reported::Metric,
};

pub(super) fn report(input: &ReportInput, table: &Table, figures: &[Figure], svgs: &[String]) -> String {
    let heading = heading(input.table);
    let sections = [
        introduction(input, &heading),
        results(table),
        explanations(input, table),
        figures.iter().zip(svgs).map(|(figure, svg)| figure_element(figure, svg)).collect(),
        claims(input),
        provenance(input),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}. {}</title>\n<style>\n{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        escaped(&heading),
        escaped(input.title),
        include_str!("page.css"),
        sections.concat()
    )
}

fn introduction(input: &ReportInput, heading: &str) -> String {
    let mut html = String::new();
    if let Some([title, explanation]) = notice(input.protocol) {
        html += &format!("<div class=\"notice\" role=\"note\"><strong>{title}</strong>{explanation}");
        if !input.note.is_empty() {
            html += &format!(" {}", escaped(input.note));
        }
        html += "</div>\n";
    }
    html += &format!("<header>\n<p class=\"kicker\">{}, reproduced</p>\n", escaped(heading));
    html += &format!("<h1>{}</h1>\n", escaped(input.title));
    html += &format!("<p class=\"caption\">{}</p>\n</header>\n", escaped(&input.reported.caption));
    if notice(input.protocol).is_none() && !input.note.is_empty() {
        html += &format!("<p class=\"note\">{}</p>\n", escaped(input.note));
    }
    html
}

fn results(table: &Table) -> String {
    let mut groups = String::new();
    let mut subs = String::new();
    for (index, metric) in table.metrics.iter().enumerate() {
        let label = escaped(&metric.heading());
        if table.has_paper(index) {
            groups += &format!("<th class=\"metric\" colspan=\"2\" scope=\"colgroup\">{label}</th>");
            subs += "<th class=\"metric sub\" scope=\"col\">ours</th><th class=\"sub\" scope=\"col\">paper</th>";
        } else {
            groups += &format!("<th class=\"metric\" scope=\"col\">{label}</th>");
            subs += "<th class=\"metric sub\" scope=\"col\">ours</th>";
        }
    }
    let rows: String = table.lines.iter().map(|line| row(table, line)).collect();
    format!(
        "<h2>Results</h2>\n<div class=\"scroll\">\n<table class=\"results\">\n<thead>\n\
         <tr><th rowspan=\"2\" scope=\"col\">Method</th>{groups}</tr>\n<tr>{subs}</tr>\n</thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

fn row(table: &Table, line: &Line) -> String {
    let (class, seeds) = match line.n_seeds {
        0 => (" class=\"not-run\"", String::new()),
        1 => ("", "1 seed".to_owned()),
        n => ("", format!("{n} seeds")),
    };
    let mut html = format!("<tr{class}><th scope=\"row\">{}<small>{seeds}</small></th>", escaped(&line.label()));
    for (index, (metric, entry)) in table.metrics.iter().zip(&line.entries).enumerate() {
        html += &ours(metric, line, entry);
        if table.has_paper(index) {
            html += &papers(metric, entry);
        }
    }
    html + "</tr>\n"
}

fn ours(metric: &Metric, line: &Line, entry: &Entry) -> String {
    let Some(ours) = entry.ours else { return format!("<td class=\"metric not-run\">{}</td>", line.absent()) };
    let mut html = format!("<td class=\"metric\">{}", number(metric, ours.mean, ours.sd, entry.is_our_best));
    if matches!(entry.verdict, Verdict::Better | Verdict::Agrees | Verdict::Differs) {
        let verdict = entry.verdict.name();
        html += &format!("<br><span class=\"verdict {verdict}\">{verdict}</span>");
    }
    html + "</td>"
}

fn papers(metric: &Metric, entry: &Entry) -> String {
    let numbers = entry.paper.map(|paper| number(metric, paper.mean, paper.sd, entry.is_papers_best));
    format!("<td class=\"papers\">{}</td>", numbers.unwrap_or_default())
}

fn number(metric: &Metric, mean: f64, sd: Option<f64>, is_best: bool) -> String {
    let minus = |value: f64| metric.format(value).replace('-', "−");
    let class = if is_best { " class=\"best\"" } else { "" };
    let sd = sd.map_or_else(String::new, |sd| format!(" <span class=\"sd\">({})</span>", minus(sd)));
    format!("<span{class}>{}</span>{sd}", minus(mean))
}

fn explanations(input: &ReportInput, table: &Table) -> String {
    let mut html = format!(
        "<p class=\"rule\">{} The best is in bold. In the paper: {}.</p>\n<dl>\n",
        escaped(&table.legend()),
        escaped(&input.reported.source)
    );
    for metric in table.metrics {
        html += &definition(&metric.heading(), &metric.description);
    }
    for (label, note) in table.notes() {
        html += &definition(&label, note);
    }
    html + "</dl>\n"
}

fn definition(term: &str, meaning: &str) -> String {
    format!("<dt>{}</dt><dd>{}</dd>\n", escaped(term), escaped(meaning))
}

fn figure_element(figure: &Figure, svg: &str) -> String {
    let pairs = figure.is_of_pairs();
    let seed = if pairs { "The lowest seed is shown." } else { "Each panel shows the lowest seed of its method." };
    // The SVG is ours and well-formed: its texts are escaped where it is drawn.
    format!("<figure>\n{svg}<figcaption>{} {seed}</figcaption>\n</figure>\n", escaped(figure.caption))
}

fn claims(input: &ReportInput) -> String {
    let checked = check(input.reported, input.cells);
    if !checked.has_judged() {
        return String::new();
    }
    let mut html =
        "<h2>Claims</h2>\n<div class=\"scroll\">\n<table class=\"claims\">\n<thead><tr><th scope=\"col\">Claim\
        </th><th scope=\"col\">Expected</th><th scope=\"col\">Measured</th><th scope=\"col\">Seeds</th>\
        <th scope=\"col\">Outcome</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n"
            .to_owned();
    for claim in &checked.claims {
        let class = match claim.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Skipped(_) => "skipped",
        };
        let [subject, expected, measured, n, outcome, reason] = claim.columns().map(|column| escaped(&column));
        let (expected, measured) = (expected.replace(" -", " −"), measured.replace('-', "−"));
        html += &format!(
            "<tr><td>{subject}</td><td>{expected}</td><td>{measured}</td><td>{n}</td>\
             <td><span class=\"verdict {class}\">{outcome}</span></td><td>{reason}</td></tr>\n"
        );
    }
    html + "</tbody>\n</table>\n</div>\n"
}

fn provenance(input: &ReportInput) -> String {
    if input.cells.is_empty() {
        return String::new();
    }
    let provenance = Provenance::of(input.cells);
    let mut html = format!(
        "<h2>Where the numbers come from</h2>\n<p class=\"rule\">aais {}; instruction set {}; {}{}.</p>\n\
         <div class=\"scroll\">\n<table>\n<thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Seeds</th>\
         <th scope=\"col\">Epochs</th><th scope=\"col\">Mean time a seed</th><th scope=\"col\">Settings</th></tr></thead>\n\
         <tbody>\n",
        escaped(&list(&provenance.version)),
        escaped(&list(&provenance.instruction_sets)),
        escaped(&list(&provenance.machines)),
        escaped(&provenance.data_in_words()),
    );
    for (method, hashes) in &provenance.config_hashes {
        html += &format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>\n",
            escaped(method),
            list(&provenance.seeds[method]),
            list(&provenance.epochs[method]),
            mean_time(input.cells, method),
            escaped(&short_hashes(hashes).join(", ")),
        );
    }
    html + "</tbody>\n</table>\n</div>\n"
}

/// Text that stands for itself, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::Protocol, report::fake::Fake};

    fn page(fake: &Fake) -> String {
        let input = fake.input();
        let figures = Figure::all(&input).unwrap();
        let svgs: Vec<String> = figures.iter().map(|figure| figure.svg().unwrap()).collect();
        report(&input, &Table::new(input.reported, input.cells), &figures, &svgs)
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut fake = Fake::of("table2");
        let attack = "<script>alert(1)</script> & \"'";
        fake.protocol = Protocol::Reduced;
        fake.note = attack.into();
        fake.reported.caption = attack.into();
        fake.reported.source = attack.into();
        for metric in &mut fake.reported.metrics {
            metric.label = attack.into();
            metric.description = attack.into();
        }
        for column in &mut fake.reported.columns {
            column.label = attack.into();
            column.note = Some(attack.into());
        }
        for band in &mut fake.reported.bands {
            band.reason = attack.into();
        }
        let figure = &mut fake.reported.figures[0];
        figure.caption = attack.into();
        figure.axis = Some(attack.into());
        for cell in &mut fake.cells {
            cell.machine = attack.into();
            cell.version = attack.into();
            cell.instruction_set = attack.into();
            cell.config_hash = "<script>".into();
        }

        let html = page(&fake);
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("& \""), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;&#39;"));
    }

    #[test]
    fn the_page_loads_nothing() {
        for table in ["table2", "table5"] {
            // An image within the page is not loaded.
            let html = page(&Fake::of(table)).replace("href=\"data:image/png;base64,", "");
            let html = html.replace("http://www.w3.org/2000/svg", "");
            for remote in ["http:", "https:", "src=", "href=", "@import", "url("] {
                assert!(!html.contains(remote), "{remote}");
            }
        }
    }

    #[test]
    fn only_a_run_of_less_than_the_protocol_bears_a_notice() {
        let mut fake = Fake::of("table2");
        assert!(!page(&fake).contains("class=\"notice\""));

        fake.protocol = Protocol::Quick;
        let html = page(&fake);
        let notice = html.find("Quick run, not the paper's protocol").unwrap();
        assert!(notice < html.find("<h1>").unwrap());
    }

    #[test]
    fn verdicts_are_words_and_what_did_not_run_is_grey() {
        let html = page(&Fake::of("table2"));
        assert!(html.contains("<span class=\"verdict differs\">differs</span>"));
        assert!(html.contains("<tr class=\"not-run\"><th scope=\"row\">ALMOND<small></small></th>"));
        assert!(html.contains("<td class=\"metric not-run\">not yet</td>"));
    }

    #[test]
    fn the_page_knows_every_colour_of_the_figures() {
        let css = include_str!("page.css");
        for fake in [Fake::of("table2"), Fake::of("table5"), Fake::of("table6"), Fake::of("figure1"), Fake::of_rows()] {
            let html = page(&fake);
            let svg = &html[html.find("<svg").unwrap()..html.find("</svg>").unwrap()];
            for attribute in svg.split(' ').filter(|a| a.starts_with("fill=\"#") || a.starts_with("stroke=\"#")) {
                let attribute = attribute.trim_end_matches(['/', '>', '\n']);
                let selector = &attribute[..attribute.rfind('"').unwrap() + 1];
                assert!(css.contains(&format!("[{selector}]")), "{selector}");
            }
        }
    }
}
