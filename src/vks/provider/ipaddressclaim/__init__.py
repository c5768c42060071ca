"""IPAddressClaim: Cluster API's IPAM contract, served from the slots of a VerdaPortPool."""
