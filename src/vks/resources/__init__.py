"""The custom resources of VKS and the foreign kinds that it reads, one module per kind."""
