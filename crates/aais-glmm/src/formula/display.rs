//! A formula printed as R prints it, with the parentheses that it needs.

use std::fmt::{self, Display, Formatter, Write};

use super::expression::Operator;
use super::lexer::is_plain_name;
use super::{Correlation, Effect, Expression, Formula, RandomPart, ResponsePart, Sign, Summand, Variable};

/// How tightly an expression binds; an operand that binds less tightly than its place asks for needs parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    Sign,
    Interaction,
    Power,
    Atom,
}

impl Display for Formula {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ~ ", self.response)?;
        write_sum(f, &self.fixed.written)?;
        self.offsets.iter().try_for_each(|offset| write!(f, " + offset({offset})"))?;
        self.random.iter().try_for_each(|part| write!(f, " + {part}"))
    }
}

impl Display for ResponsePart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(value) => write!(f, "{value}"),
            Self::Counts(successes, failures) => write!(f, "cbind({successes}, {failures})"),
        }
    }
}

impl Display for RandomPart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        write_sum(f, &self.effects.written)?;
        f.write_str(match self.correlation {
            Correlation::Free => " | ",
            Correlation::Zero => " || ",
        })?;
        for (at, names) in self.group.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "/" })?;
            f.write_str(&joined(names.iter().map(String::as_str)))?;
        }
        f.write_char(')')
    }
}

fn write_sum(f: &mut Formatter<'_>, sum: &[Summand]) -> fmt::Result {
    for (at, Summand { sign, effect }) in sum.iter().enumerate() {
        f.write_str(match (at, sign) {
            (0, Sign::Plus) => "",
            (0, Sign::Minus) => "-",
            (_, Sign::Plus) => " + ",
            (_, Sign::Minus) => " - ",
        })?;
        effect.write(f, Binding::Product)?;
    }
    Ok(())
}

impl Effect {
    fn binding(&self) -> Binding {
        match self {
            Self::Intercept | Self::NoIntercept | Self::Variable(_) | Self::Sum(_) => Binding::Atom,
            Self::Cross(..) | Self::Nest(..) => Binding::Product,
            Self::Interaction(..) => Binding::Interaction,
            Self::Power(..) => Binding::Power,
        }
    }

    fn write(&self, f: &mut Formatter<'_>, place: Binding) -> fmt::Result {
        if self.binding() < place {
            f.write_char('(')?;
            self.write(f, Binding::Product)?;
            return f.write_char(')');
        }
        match self {
            Self::Intercept => f.write_char('1'),
            Self::NoIntercept => f.write_char('0'),
            Self::Variable(variable) => write!(f, "{variable}"),
            Self::Sum(sum) => {
                f.write_char('(')?;
                write_sum(f, sum)?;
                f.write_char(')')
            }
            Self::Cross(left, right) => Self::write_pair(f, (left, Binding::Product), " * ", right),
            Self::Nest(left, right) => Self::write_pair(f, (left, Binding::Product), "/", right),
            Self::Interaction(left, right) => Self::write_pair(f, (left, Binding::Interaction), ":", right),
            Self::Power(base, exponent) => {
                base.write(f, Binding::Atom)?;
                write!(f, "^{exponent}")
            }
        }
    }

    /// Operators of effects associate to the left, so the right operand must bind more tightly.
    fn write_pair(f: &mut Formatter<'_>, left: (&Self, Binding), operator: &str, right: &Self) -> fmt::Result {
        let tighter = if left.1 == Binding::Product { Binding::Interaction } else { Binding::Power };
        left.0.write(f, left.1)?;
        f.write_str(operator)?;
        right.write(f, tighter)
    }
}

impl Display for Variable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => f.write_str(&quoted(name)),
            Self::Factor(name) => write!(f, "factor({})", quoted(name)),
            Self::Computed(expression) => write!(f, "{expression}"),
        }
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, Binding::Sum)
    }
}

impl Expression {
    fn binding(&self) -> Binding {
        match self {
            Self::Number(_) | Self::Column(_) | Self::Call(..) => Binding::Atom,
            Self::Negate(_) => Binding::Sign,
            Self::Binary(Operator::Add | Operator::Subtract, ..) => Binding::Sum,
            Self::Binary(Operator::Multiply | Operator::Divide, ..) => Binding::Product,
            Self::Binary(Operator::Power, ..) => Binding::Power,
        }
    }

    fn write(&self, f: &mut Formatter<'_>, place: Binding) -> fmt::Result {
        if self.binding() < place {
            return write!(f, "({self})");
        }
        match self {
            Self::Number(value) => f.write_str(&number(*value)),
            Self::Column(name) => f.write_str(&quoted(name)),
            Self::Negate(operand) => {
                f.write_char('-')?;
                operand.write(f, Binding::Sign)
            }
            Self::Call(function, argument) => write!(f, "{}({argument})", function.name()),
            Self::Binary(operator, left, right) => {
                let (sign, places) = match operator {
                    Operator::Add => (" + ", (Binding::Sum, Binding::Product)),
                    Operator::Subtract => (" - ", (Binding::Sum, Binding::Product)),
                    Operator::Multiply => (" * ", (Binding::Product, Binding::Sign)),
                    Operator::Divide => ("/", (Binding::Product, Binding::Sign)),
                    // Powers associate to the right, and a sign may stand in an exponent.
                    Operator::Power => ("^", (Binding::Atom, Binding::Sign)),
                };
                left.write(f, places.0)?;
                f.write_str(sign)?;
                right.write(f, places.1)
            }
        }
    }
}

/// A column's name as a formula has it.
pub(crate) fn quoted(name: &str) -> String {
    if is_plain_name(name) { name.to_owned() } else { format!("`{name}`") }
}

/// Columns that are taken together: `herd:year`.
pub(crate) fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(":")
}

/// The shortest digits that read back as the same number, with an exponent where R too would rather write one.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-5..1e15).contains(&value) { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn printed(text: &str) -> String {
        Formula::parse(text).unwrap().to_string()
    }

    #[test]
    fn a_formula_prints_as_it_was_written() {
        let formulas = [
            "y ~ 1",
            "y ~ 0 + x",
            "y ~ -1 + x - z",
            "log(y) ~ x1 + x2 * x3 + (1 + x1 | g) + (1 | h)",
            "cbind(incidence, size - incidence) ~ period + (1 | herd)",
            "y ~ a/b + (a + b + c)^2 - a:b:c + offset(log(n)) + (x || g:h/k)",
            "y ~ a * b:c:d:(e * f)/g - (a - b) + (a + (b * c)^3)^2",
            "`my y` ~ `a b`:factor(`.`) + (1 | `g h`)",
            "y ~ I((x + 1) * 2 - z/3) + I(2^-x) + I((-x)^2) + I(-x^2) + I((2^x)^3) + I(2^x^3)",
            "y ~ I(x - (1 - z) - -2) + I(x/(z/2) * 3) + I(-(x * z)) + I(1e-300 + 0.5 + 1e15)",
        ];
        for formula in formulas {
            assert_eq!(printed(formula), formula);
        }
    }

    #[test]
    fn parts_come_in_one_order() {
        assert_eq!(printed("y ~ (1 | g)"), "y ~ 1 + (1 | g)");
        assert_eq!(printed("y~(1|g)+offset(o)+(x)"), "y ~ x + offset(o) + (1 | g)");
    }
}
