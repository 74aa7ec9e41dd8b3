use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    OpmlAdapter,
    "artifacts/OpmlAdapter.json"
);
