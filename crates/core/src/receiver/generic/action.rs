//! Compiles the actions of a generic receiver once, so that a request finds no source to parse. What is wrong with one
//! expression is kept with it: it fails when its action is asked, and no other action with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expression::template::Template;
use crate::expression::{Expression, ExpressionError};
use crate::resource::GenericAction;
use crate::target::Criteria;

/// The compiled actions of a receiver; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Actions(Arc<[Action]>);

/// A compiled action.
#[derive(Debug)]
pub(super) struct Action {
    /// When it applies; absent where it always does.
    pub(super) when: Option<Result<Expression, ExpressionError>>,
    /// What expressions know as `params`.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) criteria: Vec<Criteria<Result<Template, ExpressionError>>>,
}

impl Actions {
    /// Compiles actions.
    pub fn compile(specs: &[GenericAction]) -> Self {
        Self(specs.iter().map(Action::compile).collect())
    }

    /// The expressions that cannot be evaluated whatever the request, each with its action.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (place, action) in self.0.iter().enumerate() {
            let mut note = |what: &str, error: &ExpressionError| {
                problems.push(format!("action {}, {what}: {error}", place + 1));
            };
            if let Some(Err(error)) = &action.when {
                note("whenExpression", error);
            }
            for criteria in &action.criteria {
                let labels = criteria.labels.iter().flat_map(|label| &label.values);
                let indices = criteria.indices.iter().map(|index| &index.value);
                for template in criteria.name.iter().chain(labels).chain(indices) {
                    if let Err(error) = template {
                        note("targetSelectionCriteria", error);
                    }
                }
            }
        }
        problems
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Action> {
        self.0.iter()
    }
}

impl Action {
    fn compile(spec: &GenericAction) -> Self {
        let when = spec.when_expression.as_str();
        let template = |text: &String| Ok::<_, std::convert::Infallible>(Template::compile(text));
        let criteria = spec.criteria.iter().map(|criteria| match criteria.try_map(template) {
            Ok(criteria) => criteria,
            Err(never) => match never {},
        });
        Self {
            when: (!when.is_empty()).then(|| Expression::compile(when)),
            parameters: spec.parameters.clone(),
            criteria: criteria.collect(),
        }
    }
}
