return { p = tostring }
