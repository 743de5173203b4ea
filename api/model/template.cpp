// api/model/template.cpp
