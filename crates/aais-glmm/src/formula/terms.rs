//! What a sum of effects means: an intercept or none, and terms in R's order.

use std::collections::BTreeSet;

use super::{Effect, Sign, Summand, Variable};

/// One product of variables, as their positions in [`Terms::variables`].
pub(crate) type Term = BTreeSet<usize>;

/// Terms by R's rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms {
    pub(crate) has_intercept: bool,
    /// In the order in which they appear first, those of terms taken away included: within an interaction it decides
    /// which stands first.
    pub(crate) variables: Vec<Variable>,
    /// Main effects first, then by order, then as written.
    pub(crate) terms: Vec<Term>,
}

/// How a categorical variable enters a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// A column for each level but the first.
    Contrasts,
    /// A column for each level.
    Indicators,
}

/// How many pairs of terms the products of a formula may combine before it is refused: some hundred factors with all
/// their interactions of two, and still milliseconds.
const MAX_PAIRS: usize = 50_000;

impl Terms {
    /// The terms of a sum, or none if its products combine more than [`MAX_PAIRS`] pairs.
    pub(super) fn expand(sum: &[Summand]) -> Option<Self> {
        let mut expansion = Expansion { variables: Vec::new(), has_intercept: true, n_pairs: 0 };
        let mut terms = expansion.sum(sum, Sign::Plus)?;
        terms.sort_by_key(BTreeSet::len); // Stable: within an order as written.
        Some(Self { has_intercept: expansion.has_intercept, variables: expansion.variables, terms })
    }

    /// The coding of each variable in each term: R's `factors`, and the rule of `model.matrix` without an intercept.
    ///
    /// Contrasts do where the rest of the term is empty or within an earlier term, which then holds what the first
    /// level would add. If there is no intercept, the first categorical variable stands in for it.
    pub(crate) fn codings(&self, is_categorical: impl Fn(usize) -> bool) -> Vec<Vec<(usize, Coding)>> {
        let coding = |at: usize, variable: usize| {
            let mut rest = self.terms[at].clone();
            rest.remove(&variable);
            match rest.is_empty() || self.terms[..at].iter().any(|earlier| rest.is_subset(earlier)) {
                true => Coding::Contrasts,
                false => Coding::Indicators,
            }
        };
        let of_term = |at: usize| self.terms[at].iter().map(|&variable| (variable, coding(at, variable))).collect();
        let mut codings: Vec<Vec<(usize, Coding)>> = (0..self.terms.len()).map(of_term).collect();

        if !self.has_intercept {
            let first = codings.iter_mut().flatten().find(|(variable, _)| is_categorical(*variable));
            first.into_iter().for_each(|(_, coding)| *coding = Coding::Indicators);
        }
        codings
    }

    /// Each term alone, without an intercept, and the intercept alone: what `||` makes of its effects.
    pub(crate) fn split(&self) -> Vec<Self> {
        let alone = |has_intercept, terms| Self { has_intercept, variables: self.variables.clone(), terms };
        let intercept = self.has_intercept.then(|| alone(true, vec![]));
        intercept.into_iter().chain(self.terms.iter().map(|term| alone(false, vec![term.clone()]))).collect()
    }
}

struct Expansion {
    variables: Vec<Variable>,
    has_intercept: bool,
    n_pairs: usize,
}

impl Expansion {
    /// `context` is the sign in front of the whole sum; it matters to the intercept alone, which is no term.
    fn sum(&mut self, sum: &[Summand], context: Sign) -> Option<Vec<Term>> {
        let mut terms = Vec::new();
        let mut present = BTreeSet::new();
        for Summand { sign, effect } in sum {
            let inner = if *sign == context { Sign::Plus } else { Sign::Minus };
            for term in self.effect(effect, inner)? {
                match sign {
                    Sign::Plus if present.insert(term.clone()) => terms.push(term),
                    Sign::Minus if present.remove(&term) => terms.retain(|kept| *kept != term),
                    _ => (),
                }
            }
        }
        Some(terms)
    }

    fn effect(&mut self, effect: &Effect, context: Sign) -> Option<Vec<Term>> {
        Some(match effect {
            Effect::Intercept | Effect::NoIntercept => {
                self.has_intercept = (*effect == Effect::Intercept) == (context == Sign::Plus);
                vec![]
            }
            Effect::Variable(variable) => vec![Term::from([self.position(variable)])],
            Effect::Sum(sum) => self.sum(sum, context)?,
            Effect::Interaction(left, right) => {
                let (left, right) = (self.effect(left, context)?, self.effect(right, context)?);
                self.interactions(&left, &right)?
            }
            Effect::Cross(left, right) => {
                let (left, right) = (self.effect(left, context)?, self.effect(right, context)?);
                let both = self.interactions(&left, &right)?;
                unique(left.into_iter().chain(right).chain(both))
            }
            Effect::Nest(left, right) => {
                let (left, right) = (self.effect(left, context)?, self.effect(right, context)?);
                let all: Term = left.iter().flatten().copied().collect();
                let within = self.interactions(&[all], &right)?;
                unique(left.into_iter().chain(within))
            }
            Effect::Power(base, exponent) => {
                let base = self.effect(base, context)?;
                let mut power = base.clone();
                for _ in 1..*exponent {
                    let next = self.interactions(&power, &base)?;
                    if next.len() == power.len() {
                        break; // Every power holds the one before, so this is all of them.
                    }
                    power = next;
                }
                power
            }
        })
    }

    fn position(&mut self, variable: &Variable) -> usize {
        let known = self.variables.iter().position(|known| known == variable);
        known.unwrap_or_else(|| {
            self.variables.push(variable.clone());
            self.variables.len() - 1
        })
    }

    /// Every term of the left joined with every term of the right.
    fn interactions(&mut self, left: &[Term], right: &[Term]) -> Option<Vec<Term>> {
        self.n_pairs = self.n_pairs.saturating_add(left.len().saturating_mul(right.len()));
        let pairs = left.iter().flat_map(|left| right.iter().map(move |right| left | right));
        (self.n_pairs <= MAX_PAIRS).then(|| unique(pairs))
    }
}

/// Terms without repetition, in the order of their first appearance.
fn unique(terms: impl IntoIterator<Item = Term>) -> Vec<Term> {
    let mut seen = BTreeSet::new();
    terms.into_iter().filter(|term| seen.insert(term.clone())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Formula;
    use super::super::display::joined;
    use super::*;

    /// The terms as R's `terms` labels them, `1` for the intercept.
    fn labels(right: &str) -> Vec<String> {
        let terms = Formula::parse(&format!("y ~ {right}")).unwrap().fixed.terms;
        let name = |&at: &usize| match &terms.variables[at] {
            Variable::Column(name) => name.as_str(),
            other => panic!("{other} is not a column"),
        };
        let label = |term: &Term| joined(term.iter().map(name));
        let intercept = terms.has_intercept.then(|| "1".to_owned());
        intercept.into_iter().chain(terms.terms.iter().map(label)).collect()
    }

    #[test]
    fn operators_mean_what_they_mean_in_r() {
        assert_eq!(labels("a * b * c"), ["1", "a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]);
        assert_eq!(labels("(a + b + c)^2"), ["1", "a", "b", "c", "a:b", "a:c", "b:c"]);
        assert_eq!(labels("(a + b + c)^999"), labels("a * b * c"));
        assert_eq!(labels("(a + b) / c"), ["1", "a", "b", "a:b:c"]);
        assert_eq!(labels("a / (b + c)"), ["1", "a", "a:b", "a:c"]);
        assert_eq!(labels("a * b - a"), ["1", "b", "a:b"]);
        assert_eq!(labels("a:a + b - b"), ["1", "a"]);
        assert_eq!(labels("a * (b + c) - (a:b - c)"), ["1", "a", "b", "c", "a:c"]);
    }

    #[test]
    fn main_effects_come_first_and_variables_in_order_of_appearance() {
        assert_eq!(labels("c:a + b + a:b"), ["1", "b", "c:a", "a:b"]);
        assert_eq!(labels("b - b + a + a:b"), ["1", "a", "b:a"]);
    }

    #[test]
    fn the_last_word_on_the_intercept_counts() {
        assert_eq!(labels("0 + a"), ["a"]);
        assert_eq!(labels("a - 1 + 1"), ["1", "a"]);
        assert_eq!(labels("a - 0"), ["1", "a"]);
        assert_eq!(labels("a - (b - 1)"), ["1", "a"]);
        assert_eq!(labels("a - (b + 1)"), ["a"]);
    }

    #[test]
    fn too_many_terms_are_refused() {
        let crossed: Vec<String> = (0..40).map(|i| format!("x{i}")).collect();
        let formula = |operator: &str| format!("y ~ {}", crossed.join(operator));
        assert!(Formula::parse(&formula(" + ")).is_ok());
        assert!(Formula::parse(&formula(" * ")).unwrap_err().to_string().contains("too many"));
    }
}
