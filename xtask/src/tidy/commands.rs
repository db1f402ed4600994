//! The commands that documentation shows can be typed as they stand.

use clap::{CommandFactory, error::ErrorKind};

use super::Finding;
use super::markdown::{self, Place};
use super::repository::Repository;
use crate::Cli;

/// Commands in Markdown files that our command line would refuse or that name an unknown package.
pub fn check(repository: &Repository) -> Vec<Finding> {
    let packages: Vec<&str> = repository.packages.iter().map(|package| package.name.as_str()).collect();
    repository.with_extension("md").flat_map(|file| wrong_commands(&file.path, &file.text, &packages)).collect()
}

fn wrong_commands(path: &str, text: &str, packages: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in command_lines(text) {
        for words in commands(&line) {
            if let Some(wrong) = refusal(&words, packages) {
                findings.push(Finding::new(path, number, wrong, "show a command that works as it stands"));
            }
        }
    }
    for line in markdown::lines(text).iter().filter(|line| line.place == Place::Prose) {
        let code = markdown::spans(line.text).filter(|(is_code, _)| *is_code);
        for name in code.filter_map(|(_, span)| mentioned_command(span)) {
            if Cli::command().find_subcommand(name).is_none() {
                let wrong = format!("there is no command `cargo xtask {name}`");
                findings.push(Finding::new(path, line.number, wrong, "name one that `cargo xtask --help` lists"));
            }
        }
    }
    findings
}

/// The command lines of shell blocks, continued lines joined, each with the number of its first line.
fn command_lines(text: &str) -> Vec<(usize, String)> {
    let lines = markdown::lines(text);
    let prompt = "$ ";
    let has_prompt = |place| lines.iter().any(|line| line.place == place && line.text.trim_start().starts_with(prompt));

    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut is_continued = false;
    for line in lines.iter().filter(|line| matches!(line.place, Place::Shell(_))) {
        let text = line.text.trim();
        match commands.last_mut() {
            Some((_, command)) if is_continued => command.push_str(text),
            _ => match text.strip_prefix(prompt) {
                Some(text) => commands.push((line.number, text.to_owned())),
                // Beside prompts, lines without one are output.
                None if has_prompt(line.place) => continue,
                None => commands.push((line.number, text.to_owned())),
            },
        }
        let Some((_, command)) = commands.last_mut() else { continue };
        is_continued = command.ends_with('\\');
        if is_continued {
            command.pop();
        }
    }
    commands
}

/// The words of each command of a line that starts cargo, from `cargo` on.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut ignores_rest = false;
    for word in words(line) {
        match word.as_str() {
            "&&" | "||" | ";" | "|" | "&" => {
                commands.push(Vec::new());
                ignores_rest = false;
            }
            word if word.starts_with('#') => break,
            word if word.starts_with(['>', '<']) || word.starts_with("2>") => ignores_rest = true,
            _ if ignores_rest => {}
            _ => commands.last_mut().into_iter().for_each(|words: &mut Vec<String>| words.push(word.clone())),
        }
    }
    let from_cargo = |words: Vec<String>| words.into_iter().skip_while(|word| word != "cargo").collect::<Vec<_>>();
    commands.into_iter().map(from_cargo).filter(|words| !words.is_empty()).collect()
}

/// Words as a shell would split them, as far as documentation needs it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ';' => words.extend([std::mem::take(&mut word), c.to_string()]),
            None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            None => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Why a cargo command would not work.
fn refusal(words: &[String], packages: &[&str]) -> Option<String> {
    match words.get(1)?.as_str() {
        "xtask" => {
            let arguments = std::iter::once("cargo xtask").chain(words[2..].iter().map(String::as_str));
            let error = Cli::command().try_get_matches_from(arguments).err()?;
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                return None;
            }
            let message = error.to_string();
            let reason = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Some(format!("`{}` is refused: {reason}", words.join(" ")))
        }
        "run" | "test" | "nextest" | "bench" | "build" | "check" | "clippy" | "doc" => {
            let ours = words.split(|word| word == "--").next().unwrap_or_default();
            let package = named_packages(ours).into_iter().find(|name| !packages.contains(name))?;
            Some(format!("there is no package `{package}` in the workspace"))
        }
        _ => None,
    }
}

fn named_packages(words: &[String]) -> Vec<&str> {
    let apart = words.windows(2).filter(|pair| pair[0] == "-p" || pair[0] == "--package").map(|pair| pair[1].as_str());
    let joined = words.iter().filter_map(|word| word.strip_prefix("--package="));
    apart.chain(joined).collect()
}

/// `name` of a code span that begins with `cargo xtask name`.
fn mentioned_command(span: &str) -> Option<&str> {
    let name = span.strip_prefix("cargo xtask ")?.split_whitespace().next()?;
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrongs(text: &str) -> Vec<String> {
        wrong_commands("README.md", text, &["aais-experiments"]).into_iter().map(|finding| finding.wrong).collect()
    }

    #[test]
    fn commands_that_work_pass() {
        let text = "Run `cargo xtask reproduce <table>` or `cargo xtask`.\n\
                    ```sh\n# first\ncargo xtask reproduce table2 --seeds 10 --methods aais,vae  # hours\n\
                    RAYON_NUM_THREADS=1 cargo xtask check figure1 && cargo xtask tidy > log.txt\n\
                    cargo xtask reproduce table3 \\\n  --quick --out 'my results'\ncargo xtask ci --help; ls -p nothing\n\
                    cargo run --release -p aais-experiments -- -p x\n```\n\
                    ```text\ncargo xtask anything\n```\n";
        assert_eq!(wrongs(text), [""; 0]);
    }

    #[test]
    fn an_unknown_command_is_found() {
        assert_eq!(wrongs("```sh\ncargo xtask frobnicate\n```\n").len(), 1);
        assert_eq!(wrongs("See `cargo xtask frobnicate now`."), ["there is no command `cargo xtask frobnicate`"]);
    }

    #[test]
    fn an_unknown_flag_or_target_is_found() {
        assert_eq!(wrongs("```\ncargo xtask check table2 --quick\n```\n").len(), 1);
        assert_eq!(wrongs("```bash\nls; cargo xtask reproduce table99\n```\n").len(), 1);
        assert_eq!(wrongs("```sh\ncargo xtask reproduce table2 \\\n  --sedes 3\n```\n").len(), 1);
    }

    #[test]
    fn an_unknown_package_is_found() {
        assert_eq!(
            wrongs("```sh\ncargo test -p aais-nothing\n```\n"),
            ["there is no package `aais-nothing` in the workspace"]
        );
        assert_eq!(wrongs("```sh\ncargo run --package=aais-nothing\n```\n").len(), 1);
    }

    #[test]
    fn beside_prompts_the_rest_is_output() {
        assert_eq!(wrongs("```console\n$ cargo xtask tidy\ncargo xtask frobnicate\n```\n"), [""; 0]);
        assert_eq!(wrongs("```console\n$ cargo xtask frobnicate\n```\n").len(), 1);
    }
}
