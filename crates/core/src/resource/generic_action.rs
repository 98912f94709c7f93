//! Reads the actions of a generic receiver, whose texts may hold expressions; it must not know what these evaluate to.
//!
//! What Kargo's admission refuses is refused here, since a folder has no admission.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use crate::target::{Criteria, IndexKey, IndexOperator, IndexRequirement, LabelOperator, LabelRequirement, TargetKind};

/// What a generic receiver does with a request: it refreshes what the criteria choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenericAction {
    /// `whenExpression`, without which the action always applies; empty where it is absent.
    pub when_expression: String,
    /// `parameters`, which expressions know as `params`. They are no templates.
    pub parameters: BTreeMap<String, String>,
    /// `targetSelectionCriteria`, at least one; the texts are templates.
    pub criteria: Vec<Criteria>,
}

/// Reads `actions`.
pub(super) fn read_all(fields: &mut Fields<'_>, warnings: &mut Vec<Warning>) -> Result<Vec<GenericAction>, FieldError> {
    let list = fields.place().key("actions");
    let actions = fields.list("actions")?.iter().enumerate();
    actions
        .map(|(index, action)| read(action, &list.index(index), warnings))
        .collect()
}

fn read(action: &Value, place: &Place<'_>, warnings: &mut Vec<Warning>) -> Result<GenericAction, FieldError> {
    let mut fields = Fields::of(action, place)?;
    match fields.required_text("action")?.as_str() {
        "Refresh" => {}
        _ => return Err(fields.error("action", "must be Refresh")),
    }
    let list = place.key("targetSelectionCriteria");
    let criteria: Result<Vec<_>, _> = fields
        .list("targetSelectionCriteria")?
        .iter()
        .enumerate()
        .map(|(index, criteria)| read_criteria(criteria, &list.index(index), warnings))
        .collect();
    let action = GenericAction {
        when_expression: fields.text("whenExpression")?,
        parameters: fields.text_map("parameters")?,
        criteria: criteria?,
    };
    if action.criteria.is_empty() {
        return Err(fields.error("targetSelectionCriteria", "is missing"));
    }
    fields.finish(warnings);
    Ok(action)
}

fn read_criteria(criteria: &Value, place: &Place<'_>, warnings: &mut Vec<Warning>) -> Result<Criteria, FieldError> {
    let mut fields = Fields::of(criteria, place)?;
    let kind = match fields.required_text("kind")?.as_str() {
        "Warehouse" => TargetKind::Warehouse,
        "Promotion" => TargetKind::Promotion,
        _ => return Err(fields.error("kind", "must be Warehouse or Promotion")),
    };
    let (label_place, index_place) = (place.key("labelSelector"), place.key("indexSelector"));
    let labels = match fields.value("labelSelector") {
        Some(selector) => read_labels(selector, &label_place, warnings)?,
        None => Vec::new(),
    };
    let indices = match fields.value("indexSelector") {
        Some(selector) => read_indices(selector, &index_place, warnings)?,
        None => Vec::new(),
    };
    let name = fields.optional_text("name")?.filter(|name| !name.is_empty());
    fields.finish(warnings);
    if name.is_none() && labels.is_empty() && indices.is_empty() {
        return Err(place.error("needs a name, a labelSelector or an indexSelector"));
    }
    Ok(Criteria {
        kind,
        name,
        labels,
        indices,
    })
}

fn read_labels(
    selector: &Value,
    place: &Place<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<LabelRequirement>, FieldError> {
    let mut fields = Fields::of(selector, place)?;
    let equal = |(key, value)| LabelRequirement {
        key,
        operator: LabelOperator::In,
        values: vec![value],
    };
    let mut labels: Vec<_> = fields.text_map("matchLabels")?.into_iter().map(equal).collect();
    let list = place.key("matchExpressions");
    for (index, expression) in fields.list("matchExpressions")?.iter().enumerate() {
        labels.push(read_label(expression, &list.index(index), warnings)?);
    }
    fields.finish(warnings);
    Ok(labels)
}

fn read_label(
    expression: &Value,
    place: &Place<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<LabelRequirement, FieldError> {
    let mut fields = Fields::of(expression, place)?;
    let key = fields.required_text("key")?;
    let operator = match fields.required_text("operator")?.as_str() {
        "In" => LabelOperator::In,
        "NotIn" => LabelOperator::NotIn,
        "Exists" => LabelOperator::Exists,
        "DoesNotExist" => LabelOperator::DoesNotExist,
        _ => return Err(fields.error("operator", "must be In, NotIn, Exists or DoesNotExist")),
    };
    let values = fields.texts("values")?;
    let wants_values = matches!(operator, LabelOperator::In | LabelOperator::NotIn);
    if wants_values == values.is_empty() {
        let problem = if wants_values {
            "is missing"
        } else {
            "must be empty with this operator"
        };
        return Err(fields.error("values", problem));
    }
    fields.finish(warnings);
    Ok(LabelRequirement { key, operator, values })
}

fn read_indices(
    selector: &Value,
    place: &Place<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<IndexRequirement>, FieldError> {
    let mut fields = Fields::of(selector, place)?;
    let list = place.key("matchIndices");
    let mut indices = Vec::new();
    for (index, expression) in fields.list("matchIndices")?.iter().enumerate() {
        let place = list.index(index);
        let mut fields = Fields::of(expression, &place)?;
        let key = fields.required_text("key")?;
        let Some(key) = IndexKey::ALL.into_iter().find(|known| known.as_str() == key) else {
            return Err(fields.error("key", "must be subscribedURLs, receiverPaths or pullRequestURL"));
        };
        let operator = match fields.required_text("operator")?.as_str() {
            "Equals" => IndexOperator::Equals,
            "NotEquals" => IndexOperator::NotEquals,
            _ => return Err(fields.error("operator", "must be Equals or NotEquals")),
        };
        let value = fields.required_text("value")?;
        fields.finish(warnings);
        indices.push(IndexRequirement { key, operator, value });
    }
    fields.finish(warnings);
    Ok(indices)
}
