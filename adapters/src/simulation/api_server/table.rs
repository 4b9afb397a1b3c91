//! Tables: what `kubectl get` prints.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    object::{StoredObject, text},
    resource::{Column, VersionDefinition},
};

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some \
resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended \
for creation idempotence and configuration definition. Cannot be updated. More info: \
https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

/// A table of `objects`. Only the first event of a watch tells the columns (`with_columns`).
pub(crate) fn table<'a>(
    version: &VersionDefinition,
    objects: impl Iterator<Item = &'a StoredObject>,
    metadata: &Value,
    with_columns: bool,
    whole_objects: bool,
    now: Timestamp,
) -> Value {
    let rows: Vec<Value> = objects
        .map(|object| row(version, object, whole_objects, now))
        .collect();
    let columns = if with_columns {
        columns(version)
    } else {
        Value::Null
    };
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

fn columns(version: &VersionDefinition) -> Value {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "description": NAME_DESCRIPTION, "priority": 0,
    });
    let others = version.columns.iter().map(|column| {
        json!({
            "name": column.name, "type": column.type_, "format": column.format, "description": column.description,
            "priority": column.priority,
        })
    });
    std::iter::once(name).chain(others).collect()
}

fn row(version: &VersionDefinition, object: &StoredObject, whole: bool, now: Timestamp) -> Value {
    let name = text(&object.value, "name").unwrap_or_default().into();
    let cells: Vec<Value> = std::iter::once(name)
        .chain(
            version
                .columns
                .iter()
                .map(|column| cell(column, &object.value, now)),
        )
        .collect();
    let object = if whole {
        (*object.value).clone()
    } else {
        json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object.value["metadata"],
        })
    };
    json!({"cells": cells, "object": object})
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let found = column.path.find(object);
    let Some(first) = found.first().filter(|value| !value.is_null()) else {
        return Value::Null;
    };
    match column.type_.as_str() {
        "date" => match first
            .as_str()
            .and_then(|time| time.parse::<Timestamp>().ok())
        {
            Some(time) => human_duration(now.as_second() - time.as_second()).into(),
            None => "<invalid>".into(),
        },
        "string" => {
            let texts: Vec<String> = found
                .iter()
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .collect();
            texts.join(",").into()
        }
        _ => (*first).clone(),
    }
}

/// An age as kubectl writes it: finer while it is short.
fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => with_rest(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with_rest(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with_rest(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => with_rest(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

fn with_rest(whole: i64, unit: &str, rest: i64, rest_unit: &str) -> String {
    if rest == 0 {
        format!("{whole}{unit}")
    } else {
        format!("{whole}{unit}{rest}{rest_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (600, "10m"),
            (10_800, "3h"),
            (12_000, "3h20m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(human_duration(seconds), text);
        }
    }
}
