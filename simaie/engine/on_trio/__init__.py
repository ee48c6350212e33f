"""The trio driver: each vCPU is a trio task, so that guest code may use trio itself."""
