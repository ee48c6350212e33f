"""The trio driver, on which each vCPU is a trio task, so that guest code may use trio itself."""
