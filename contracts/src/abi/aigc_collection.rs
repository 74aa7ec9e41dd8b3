use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    AigcCollection,
    "artifacts/AigcCollection.json"
);
