"""How the nodes of a proof are gone through: in one process, or shared among several."""
