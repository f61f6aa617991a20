return { n = 1, __dispose = function() error "broken" end }
