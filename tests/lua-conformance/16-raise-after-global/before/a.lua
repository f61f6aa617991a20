Score = 1
return {}
