//! Any text is a formula or an error that points into it; what is printed reads back.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/property.rs"]
mod property;

use proptest::prelude::*;

/// Texts of the words of formulas, more often formulas than texts of any characters are.
fn words() -> impl Strategy<Value = String> {
    let words = [
        "y", "x", "z", "g", "`a b`", "log", "I", "factor", "offset", "cbind", "~", "~", "+", "+", "-", "*", "/", "^",
        ":", "(", "(", ")", ")", "|", "||", ",", "0", "1", "2", "1.5e3", ".", "é",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.join(" "))
}

/// Formulas without mistakes.
fn formulas() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec!["a", "b", "c", "`d e`", "log(x)", "I(-x^2 - 1)", "factor(n)"]);
    let product = atom.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        let operator = prop::sample::select(vec![" * ", ":", "/", " + ", " - "]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(l, operator, r)| format!("({l}{operator}{r})")),
            (inner.clone(), inner, 1..4).prop_map(|(l, r, n)| format!("({l} + {r})^{n}")),
        ]
    });
    let sum = prop::collection::vec((product, prop::sample::select(vec![" + ", " - "])), 1..4);
    let random = prop::sample::select(vec!["", " + (1 | g)", " + (x || g/h)", " + offset(log(n)) + (0 + a:x | g:h)"]);
    (sum, random).prop_map(|(sum, random)| {
        let sum: String = sum.into_iter().map(|(product, sign)| sign.to_owned() + &product).collect();
        format!("cbind(s, n - s) ~ 1{sum}{random}")
    })
}

/// Values with every operator.
fn values() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec!["x", "`a b`", "2", "0.5", "1e-7"]).prop_map(str::to_owned);
    atom.prop_recursive(5, 24, 3, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "^"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(l, operator, r)| format!("({l}){operator}({r})")),
            inner.clone().prop_map(|value| format!("-({value})")),
            inner.prop_map(|value| format!("log({value})")),
        ]
    })
}

proptest! {
    // A case takes microseconds.
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_formula_or_a_positioned_error(text in any::<String>()) {
        property::holds(&text);
    }

    #[test]
    fn any_words_are_a_formula_or_a_positioned_error(text in words()) {
        property::holds(&text);
    }

    #[test]
    fn formulas_read_back(text in formulas()) {
        property::holds(&text);
        prop_assert!(aais_glmm::Formula::parse(&text).is_ok(), "{}", text);
    }

    #[test]
    fn values_read_back(value in values()) {
        let text = format!("{value} ~ 1");
        property::holds(&text);
        prop_assert!(aais_glmm::Formula::parse(&text).is_ok(), "{}", text);
    }
}
