use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    CollectionDeployer,
    "artifacts/CollectionDeployer.json"
);
