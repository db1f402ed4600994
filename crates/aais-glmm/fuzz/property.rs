//! What holds for every text, shared by the fuzzer and the tests.

use aais_glmm::{Error, Formula};

/// A text is a formula that prints as one with the same meaning, or an error that points into it.
///
/// # Panics
/// If it does not hold.
pub fn holds(text: &str) {
    match Formula::parse(text) {
        Ok(formula) => {
            let printed = formula.to_string();
            assert_eq!(Formula::parse(&printed).as_ref(), Ok(&formula), "{text:?} prints as {printed:?}");
        }
        Err(Error::Formula(error)) => {
            assert_eq!(error.formula, text);
            assert!(error.position <= text.chars().count(), "{error}");
            let message = error.to_string();
            let caret = message.lines().last().and_then(|line| line.find('^'));
            assert_eq!(caret, Some(error.position + 2), "{message}");
        }
        Err(error) => panic!("{text:?}: {error}"),
    }
}
