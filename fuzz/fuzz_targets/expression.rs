//! A body, a newline, and a source, a condition and a template in one; nothing may be passed that is bounded.
#![no_main]
use landfall_core::expression::template::{self, Template};
use landfall_core::expression::{Budget, Environment, Expression, ExpressionError, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (body, source) = input.split_once('\n').unwrap_or(("", input));
    let body = Value::from_json(body.as_bytes()).unwrap_or_default();
    let call = |name: &'static str, arguments: &[Value], budget: &mut Budget| {
        template::call(name, arguments, budget).unwrap_or_else(|| Err(ExpressionError::Failed(name.to_owned())))
    };
    let functions = template::FUNCTIONS.map(|name| (name, Value::Function(name)));
    let environment = Environment {
        names: [("request", body)].into_iter().chain(functions).collect(),
        call: &call,
    };
    if let Ok(expression) = Expression::compile(source) {
        let _ = expression.evaluate(&environment, &mut Budget::new(100_000, 4 << 20));
    }
    if let Ok(template) = Template::compile(source) {
        let _ = template.evaluate(&environment, &mut Budget::new(100_000, 4 << 20));
    }
});
